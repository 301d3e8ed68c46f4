"""Plain JSON data back to the dataclasses that it was made of, every value checked for its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def revive(kind: Any, data: Any) -> Any:
    """Return `data`, as `dataclasses.asdict` and JSON left it, as the type that `kind` names.

    Knows dataclasses, tuples, dictionaries with text as keys, unions, and plain values. Raises TypeError for
    data of another shape, so that what a stranger's process sends is what it should be or nothing.
    """
    if kind is Any:
        return data
    origin, inner = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        return _dataclass(kind, data)
    if origin is tuple and isinstance(data, list | tuple):
        kinds = [inner[0]] * len(data) if inner[-1] is Ellipsis else list(inner)
        if len(kinds) == len(data):
            return tuple(map(revive, kinds, data))
    elif origin in (dict, Mapping):
        if isinstance(data, dict) and all(isinstance(name, str) for name in data):
            return {name: revive(inner[1], value) for name, value in data.items()}
    elif origin in (Union, UnionType):
        return _one_of(inner, data)
    elif kind is type(None):
        if data is None:
            return None
    elif kind is float:
        if isinstance(data, int | float) and not isinstance(data, bool):
            return float(data)
    elif isinstance(kind, type) and origin is None and type(data) is kind:
        return data
    raise TypeError(f"{str(data)[:60]!r} is no {kind}.")


def _dataclass(kind: Any, data: Any) -> Any:
    if not isinstance(data, dict):
        raise TypeError(f"{str(data)[:60]!r} is no {kind.__name__}.")
    hints = get_type_hints(kind)
    return kind(**{name: revive(hints[name], value) for name, value in data.items() if name in hints})


def _one_of(kinds: tuple[Any, ...], data: Any) -> Any:
    for kind in kinds:
        try:
            return revive(kind, data)
        except TypeError:
            continue
    raise TypeError(f"{str(data)[:60]!r} is none of {kinds}.")
