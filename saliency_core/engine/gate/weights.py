"""How much memory a Keras config would take before a single weight is read, told from its shapes."""

from __future__ import annotations

import math
import re
from typing import Any

from saliency_core.engine.gate.refusal import MEBIBYTE, WRITE_ANEW, Limits, Stop, shown, size
from saliency_core.engine.gate.shapes import Config, Shape, number, output, shape, window

FLOAT = 4
BATCH_SHAPES = ("batch_shape", "batch_input_shape")


ROOM = 64 * MEBIBYTE
LAYERS = 3_000  # in one network; the largest Keras Application has 1,041
VALUES = 2**28  # numbers that one layer may hand on for one picture


def check(config: Config, part: str, stored: int, limits: Limits) -> None:
    """Refuse a config whose layers would take far more memory for weights than the file brings weights.

    Quantised weights may grow fourfold. Layers of which neither the network nor the file tells an input
    shape count with their outputs alone.
    """
    Tally(part, min(limits.total, 4 * stored + ROOM)).model(config, [])


class Tally:
    """Follows shapes through a network and adds up the numbers that its layers keep."""

    def __init__(self, part: str, most: int) -> None:
        self.part, self.most, self.total = part, most, 0

    def model(self, node: Config, shapes: list[Shape]) -> Shape | None:
        """Count a network of layers; return the shape that it hands on, where it can be told."""
        config = node.get("config")
        layers = config.get("layers", []) if isinstance(config, dict) else config
        layers = [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []
        if len(layers) > LAYERS:
            raise Stop(self.part, f"it has too many layers: {len(layers):,}", WRITE_ANEW)
        if any(layer.get("inbound_nodes") for layer in layers):
            return self._graph(layers, shapes)
        shape = shapes[0] if shapes else None
        for layer in layers:
            shape = self.layer(layer, [shape] if shape else [])
        return shape

    def _graph(self, layers: list[Config], shapes: list[Shape]) -> Shape | None:
        """Layers that name their sources; each is counted once, when its sources are known or at the end."""
        made: dict[str, Shape | None] = {}
        given = list(shapes)
        waiting = layers
        needed = {id(layer): set(sources(layer)) for layer in layers}
        while waiting:
            ready = [layer for layer in waiting if needed[id(layer)] <= made.keys()] or waiting
            for layer in ready:
                found = [made.get(name) for name in sources(layer)]
                if layer.get("class_name") == "InputLayer" and given:
                    shape: Shape | None = given.pop(0)
                else:
                    shape = self.layer(layer, [shape for shape in found if shape])
                made[_name(layer)] = shape
            done = {id(layer) for layer in ready}
            waiting = [layer for layer in waiting if id(layer) not in done]
        return made.get(_name(layers[-1]))

    def layer(self, node: Config, shapes: list[Shape]) -> Shape | None:
        """Count one layer; return its output's shape, where it can be told."""
        config = node.get("config")
        kind = str(node.get("class_name"))
        if kind in ("Sequential", "Functional", "Model"):
            return self.model(node, shapes)
        if not isinstance(config, dict):
            return None
        stated = next((shape(config[key]) for key in BATCH_SHAPES if key in config), None)
        built = built_for(node.get("build_config"))
        if not shapes and not stated:
            stated = built
        found = shapes or ([stated] if stated else [])
        if kind == "InputLayer":
            return stated
        inner = config.get("layer", config.get("forward_layer"))
        if isinstance(inner, dict):
            return self._wrapped(kind, inner, found)
        numbers = max(count(kind, config, given) for given in (found[0] if found else None, built))
        self.total += numbers * FLOAT
        if self.total > self.most:
            where = f"{self.part}, layer '{shown(config.get('name', kind))}'"
            raise Stop(
                where,
                f"the layers so far would take {size(self.total)} of memory, more than the file's weights",
                WRITE_ANEW,
            )
        return self._sound(output(kind, config, found), kind, config)

    def _sound(self, made: Shape | None, kind: str, config: Config) -> Shape | None:
        """Refuse a layer that would hand on more numbers than any picture needs."""
        if math.prod(side or 1 for side in (made or ())[1:]) > VALUES:
            where = f"{self.part}, layer '{shown(config.get('name', kind))}'"
            raise Stop(where, f"it would make more than {VALUES:,} numbers of memory", WRITE_ANEW)
        return made

    def _wrapped(self, kind: str, inner: Config, shapes: list[Shape]) -> Shape | None:
        """TimeDistributed hides one axis of the layer inside; others pass the shape as it is."""
        timed = kind == "TimeDistributed" and shapes and len(shapes[0]) > 2
        passed = [(shapes[0][0], *shapes[0][2:])] if timed else shapes
        got = self.layer(inner, passed)
        if kind == "Bidirectional":
            self.layer(inner, passed)
        return (got[0], shapes[0][1], *got[1:]) if timed and got else got


def sources(layer: Config) -> list[str]:
    """The layers that a layer of a functional network takes, in the spelling of any Keras."""
    found: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, dict):
            history = (
                value.get("config", {}).get("keras_history")
                if isinstance(value.get("config"), dict)
                else None
            )
            if isinstance(history, list) and history and isinstance(history[0], str):
                found.append(history[0])
            else:
                for item in value.values():
                    look(item)
        elif isinstance(value, list):
            if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
                found.append(value[0])
            else:
                for item in value:
                    look(item)

    nodes = layer.get("inbound_nodes")
    look(nodes[:1] if isinstance(nodes, list) else None)
    return found


def _name(layer: Config) -> str:
    config = layer.get("config")
    inner = config.get("name") if isinstance(config, dict) else None
    return str(layer.get("name", inner))


def built_for(config: Any) -> Shape | None:
    """The input shape that a layer is built for while it is read, whatever it is connected to."""
    if not isinstance(config, dict):
        return None
    named = config.get("shapes_dict")
    first = next(iter(named.values()), None) if isinstance(named, dict) else None
    return shape(config.get("input_shape")) or shape(first)


def count(kind: str, config: Config, given: Shape | None) -> int:
    """How many numbers a layer keeps; an unknown width counts as 1."""
    last = (given[-1] if given and config.get("data_format") != "channels_first" else None) or 1
    units, filters = number(config, "units", 0), number(config, "filters", 0)
    found = re.search(r"([123])D", kind)
    cells = math.prod(window(config, int(found[1]) if found else 2))
    if kind in ("Dense", "EinsumDense", "SimpleRNN", "SimpleRNNCell", "GRU", "GRUCell", "LSTM", "LSTMCell"):
        gates = 4 if "LSTM" in kind else 3 if "GRU" in kind else 1
        own = 0 if kind == "Dense" else units * units
        return gates * (last * units + own + units)
    if kind.startswith("ConvLSTM"):
        return 4 * cells * filters * (last + filters)
    if kind.startswith(("DepthwiseConv", "Separable")):
        deep = number(config, "depth_multiplier")
        return cells * last * deep + last * deep * (filters or 1) + filters
    if kind.startswith("Conv"):
        return cells * filters * (last // max(1, number(config, "groups")) or 1) + filters
    if kind.endswith("Embedding"):
        return number(config, "input_dim") * number(config, "output_dim")
    if kind in ("PReLU", "LayerNormalization", "RMSNormalization"):
        return math.prod(side or 1 for side in (given or ())[1:])
    if "Attention" in kind:
        heads = number(config, "num_heads", number(config, "num_query_heads"))
        return 4 * last * heads * number(config, "key_dim", number(config, "head_dim"))
    return 4 * last if "Normalization" in kind else 0
