"""A Keras config, walked part by part against a list of what may be built from it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from saliency_core.engine.gate.refusal import OWN_PARTS, WRITE_ANEW, Limits, Stop, shown

LAMBDA = (
    "Replace the Lambda by a standard layer such as Rescaling, Activation or Reshape, export the model with "
    "model.export('folder') and give that folder, or open it in Python: open_model(the_live_model)."
)
MEMORY = "Put the text before the network and give the network alone."
CODE = ("Lambda", "__lambda__", "SlicingOpLambda", "TensorFlowOpLayer")
CARRIERS = ("TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")
READERS = ("StringLookup", "IntegerLookup", "TextVectorization", "FeatureSpace", "HashedCrossing", "Hashing")
MERGES = ("concat", "sum", "mul", "ave", "max", "dot", "cos")
STORED = "operations of tensorflow that keras 2 stored as layers"
PLAIN = frozenset(
    ("__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__tuple__")
)
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.S)
BRACKETS = re.compile(rb"[\[\]{}]")


@cache
def allowed() -> dict[str, frozenset[str]]:
    """Names of classes and functions by family, as published in keras.txt."""
    text = resources.files(__package__).joinpath("keras.txt").read_text(encoding="utf-8")
    families: dict[str, set[str]] = {}
    names: set[str] = set()
    for line in text.splitlines():
        if line.startswith("["):
            names = families.setdefault(line.strip("[]"), set())
        elif not line.startswith("#"):
            names.update(line.split())
    return {family: frozenset(found) for family, found in families.items()}


def parse(text: bytes, part: str, limits: Limits) -> Any:
    """Return the JSON, after a look at its size and depth."""
    if len(text) > limits.text:
        raise Stop(part, f"the text is too large: {len(text):,} bytes", WRITE_ANEW)
    depth = 0
    for found in BRACKETS.finditer(STRINGS.sub(b"", text)):
        depth += 1 if found[0] in b"[{" else -1
        if depth > limits.depth:
            raise Stop(part, f"the brackets are nested deeper than {limits.depth}", WRITE_ANEW)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise Stop(part, "the JSON is damaged") from problem


def check(config: Any, part: str) -> None:
    """Refuse a config that names anything outside the lists, wherever in it the name stands."""
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise Stop(part, "it does not describe a model", WRITE_ANEW)
    config = {key: value for key, value in config.items() if key != "compile_config"}  # never used
    for node, owner in _nodes(config, ""):
        _check_node(node, f"{part}, layer '{shown(owner)}'" if owner else part)
    if _name(config) not in allowed()["models"]:
        raise Stop(part, f"a {shown(_name(config))} is a part of a model, not a whole one", WRITE_ANEW)


def _nodes(value: Any, owner: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Every dict that names a class or a function, with the name of the layer it belongs to."""
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item, owner)
    elif isinstance(value, dict):
        inner = value.get("config")
        if "class_name" in value or "spec_name" in value or "__passive_serialization__" in value:
            name = inner.get("name") if isinstance(inner, dict) else None
            owner = name if isinstance(name, str) else owner
            yield value, owner
        for item in value.values():
            yield from _nodes(item, owner)


def _check_node(node: dict[str, Any], part: str) -> None:
    name = _name(node)
    _refuse_known(name, part)
    module = node.get("module")
    if module is not None and not isinstance(module, str):
        raise Stop(part, "the module is not a name", WRITE_ANEW)
    if name == "TFOpLambda":
        return _check_stored_operation(node, module, part)
    if name == "Merge" and _setting(node, "mode") not in MERGES:
        raise Stop(part, "its way of merging is program code, a Lambda in disguise", LAMBDA)
    if name == "function":
        return _check_function(node, module, part)
    registered = node.get("registered_name")
    if registered not in (None, name):
        raise Stop(part, f"'{shown(registered)}' is a custom class of its author's", OWN_PARTS)
    if name in PLAIN and module is None:
        return None
    families = allowed()
    for family, names in families.items():
        if name in names and family not in ("functions", STORED) and _belongs(family, module):
            return None
    if module is not None and not module.startswith("keras"):
        raise Stop(part, f"'{shown(name)}' is a custom class from '{shown(module)}'", OWN_PARTS)
    if any(name in names for family, names in families.items()):
        raise Stop(part, f"'{shown(name)}' does not belong to '{shown(module)}'", WRITE_ANEW)
    raise Stop(part, f"'{shown(name)}' is a custom class, or not on the list of what may be built", OWN_PARTS)


def _refuse_known(name: str, part: str) -> None:
    if name in CODE:
        raise Stop(part, f"it is a {name.strip('_')}, which holds program code", LAMBDA)
    if name in CARRIERS:
        raise Stop(part, f"a {name} brings a program of another kind", OWN_PARTS)
    if name in READERS:
        raise Stop(part, f"a {name} can read files of this computer", MEMORY)


def _check_function(node: dict[str, Any], module: str | None, part: str) -> None:
    name = node.get("config")
    if not isinstance(name, str):
        raise Stop(part, "a function without a name", WRITE_ANEW)
    inner = node.get("registered_name")
    if name not in allowed()["functions"] or not _belongs("functions", module):
        raise Stop(part, f"'{shown(name)}' is a custom function, or not one a network is made of", OWN_PARTS)
    if inner not in (None, "function", name):
        raise Stop(part, f"'{shown(inner)}' is a custom function of its author's", OWN_PARTS)


def _check_stored_operation(node: dict[str, Any], module: str | None, part: str) -> None:
    """An operation of TensorFlow that Keras 2 stored as a layer, by its name."""
    name = _setting(node, "function")
    if not isinstance(name, str) or name not in allowed()[STORED]:
        raise Stop(part, f"the operation '{shown(name)}' is not on the list of pure operations", OWN_PARTS)
    if not _belongs("layers", module) or node.get("registered_name") not in (None, "TFOpLambda"):
        raise Stop(part, f"'{shown(module)}' has no such layer", WRITE_ANEW)


def _setting(node: dict[str, Any], key: str) -> Any:
    config = node.get("config")
    return config.get(key) if isinstance(config, dict) else None


def _name(node: dict[str, Any]) -> str:
    name = node.get("class_name")
    if not isinstance(name, str):
        raise Stop("the config", "a class without a name", WRITE_ANEW)
    return name


MODULES = {
    "layers": r"(keras(\.src|\.api|\.api\._v2)?\.layers(\.\w+)*)",
    "models": r"(keras(\.src|\.api)?(\.models(\.\w+)*|\.engine\.(functional|sequential|training))?)",
    "applications": r"(keras\.src\.applications\.\w+)",
    "functions": r"(builtins|keras(\.src)?\.(activations|losses|metrics|initializers)(\.\w+)*)",
    "operations numpy": r"(keras\.src\.ops\.numpy|keras\.ops(\.numpy)?)",
    "operations nn": r"(keras\.src\.ops\.nn|keras\.ops(\.nn)?)",
    "operations image": r"(keras\.src\.ops\.image|keras\.ops(\.image)?)",
    "operations linalg": r"(keras\.src\.ops\.linalg|keras\.ops(\.linalg)?)",
    "operations math": r"(keras\.src\.ops\.math|keras\.ops)",
    "operations core": r"(keras\.src\.ops\.core|keras\.ops)",
    "policies": r"(keras|keras(\.src)?\.(dtype_policies|mixed_precision)(\.\w+)*)",
}


def _belongs(family: str, module: str | None) -> bool:
    """Whether a class of this family may come from that module; old files name no module."""
    if module is None:
        return not family.startswith("operations")
    pattern = MODULES.get(family, rf"(keras(\.src)?\.{family}(\.\w+)*)")
    return re.fullmatch(pattern, module) is not None
