"""Plain JSON data back to the dataclasses that it was made of, every value checked for its type."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints


def revive(kind: Any, data: Any) -> Any:
    """Return `data`, as `dataclasses.asdict` and JSON left it, as the type that `kind` names.

    Knows dataclasses, tuples, dictionaries with text as keys, unions, and plain values. Raises TypeError for
    data of another shape or with keys that nobody knows, so that what a stranger's process sends is what it
    should be or nothing.
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
            with suppress(OverflowError):
                return float(data)
    elif isinstance(kind, type) and origin is None and type(data) is kind:
        return data
    raise TypeError(f"A {type(data).__name__} is no {kind}.")


def _dataclass(kind: Any, data: Any) -> Any:
    hints = _hints(kind)
    if not isinstance(data, dict) or not data.keys() <= hints.keys():
        raise TypeError(f"A {type(data).__name__} is no {kind.__name__}, or holds more than one.")
    return kind(**{name: revive(hints[name], value) for name, value in data.items()})


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """The type of each field, by name."""
    found = get_type_hints(kind)
    return {field.name: found[field.name] for field in fields(kind)}


def _one_of(kinds: tuple[Any, ...], data: Any) -> Any:
    for kind in kinds:
        try:
            return revive(kind, data)
        except TypeError:
            continue
    raise TypeError(f"A {type(data).__name__} is none of {kinds}.")
