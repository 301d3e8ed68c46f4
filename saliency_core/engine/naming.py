"""Names that a user knows for the operations of a graph."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any

Naming = Callable[[Sequence[str]], dict[str, str]]  # names in the raw graph -> names in ours
CALL = re.compile(r"^(Stateful)?PartitionedCall(_\d+)?$")


def keras_names(model: Any) -> Naming:
    """Map scopes such as `my_model_1/conv1_1/Relu` to the names in the model: `conv1/Relu`.

    Keras opens each scope twice, so every one ends in a number of TensorFlow's. A layer that is called
    again gets its call's number behind a dot: `conv1.2/Relu`.
    """
    known = {layer.name for layer in model._flatten_layers(include_self=False)}
    own = re.compile(rf"^{re.escape(model.name)}(_\d+)?$")

    def plain(scope: str) -> str:
        layer, _, number = scope.rpartition("_")
        return layer if number.isdigit() and layer in known else scope

    return _by_scopes(plain, lambda above, last: not above and bool(own.match(last)))


def graph_names(body: str) -> Naming:
    """Keep the names of a graph that came under the scope `body`; scopes of function calls are left out."""
    return _by_scopes(
        lambda scope: scope,
        lambda above, last: bool(CALL.match(last)) or (not above and last == body),
    )


def _by_scopes(plain: Callable[[str], str], passed: Callable[[str, str], bool]) -> Naming:
    """Rename scope by scope with `plain`; scopes that `passed(above, last)` are left out."""

    def naming(names: Sequence[str]) -> dict[str, str]:
        scopes = {""}
        for name in names:
            scopes.update(itertools.accumulate(name.split("/")[:-1], "{}/{}".format))
        found = {"": ""}
        taken: set[str] = set()
        for scope in sorted(scopes - {""}, key=_by_depth_and_number):
            above, _, last = scope.rpartition("/")
            if passed(above, last):
                found[scope] = found[above]
            else:
                found[scope] = _free(_join(found[above], plain(last)), taken)
        taken.clear()
        nodes_by_depth = sorted(names, key=lambda name: name.count("/"))
        return {
            n: _free(_join(found[n.rpartition("/")[0]], n.rpartition("/")[2]), taken) for n in nodes_by_depth
        }

    return naming


def _by_depth_and_number(scope: str) -> tuple[int, int]:
    number = scope.rpartition("_")[2]
    return scope.count("/"), int(number) if number.isdigit() else 0


def _join(scope: str, name: str) -> str:
    return f"{scope}/{name}" if scope else name


def _free(wanted: str, taken: set[str]) -> str:
    """Return the name, with `.2` and so on behind it when it is taken, and take it."""
    name = next(n for k in itertools.count(1) if (n := wanted if k == 1 else f"{wanted}.{k}") not in taken)
    taken.add(name)
    return name
