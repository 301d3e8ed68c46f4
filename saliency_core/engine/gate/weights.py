"""How much memory a Keras config would take before a single weight is read, told from its shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from saliency_core.engine.gate.refusal import MEBIBYTE, WRITE_ANEW, Limits, Stop, shown, size

Shape = tuple[int | None, ...]
Config = dict[str, Any]
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


def shape(value: Any) -> Shape | None:
    """A shape as a file spells it, or None."""
    if not isinstance(value, list) or not value or isinstance(value[0], list):
        return None
    return tuple(abs(item) if isinstance(item, int) else None for item in value)


def built_for(config: Any) -> Shape | None:
    """The input shape that a layer is built for while it is read, whatever it is connected to."""
    if not isinstance(config, dict):
        return None
    named = config.get("shapes_dict")
    first = next(iter(named.values()), None) if isinstance(named, dict) else None
    return shape(config.get("input_shape")) or shape(first)


def number(config: Config, key: str, default: int = 1) -> int:
    """A whole number of a setting; what is none counts as the default."""
    value = config.get(key, default)
    return (
        abs(int(value))
        if isinstance(value, int | float) and value == value and abs(value) < 1e300
        else default
    )


def window(config: Config, rank: int) -> list[int]:
    """The size of a kernel along each axis."""
    value = config.get("kernel_size", 1)
    sides = value if isinstance(value, list) else [value] * rank
    return [abs(side) for side in sides if isinstance(side, int)]


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


def output(kind: str, config: Config, shapes: list[Shape]) -> Shape | None:
    """The shape that a layer hands on; None where it is not known here."""
    given = shapes[0] if shapes else None
    if kind == "Reshape":
        target = shape(config.get("target_shape"))
        return (None, *target) if target else None
    if given is None:
        return None
    if kind == "Flatten":
        return (given[0], math.prod(side or 1 for side in given[1:]))
    if kind.startswith("Global"):
        return (given[0], given[-1])
    if kind in ("Dense", "SimpleRNN", "GRU", "LSTM"):
        kept = given[:-1] if kind == "Dense" or config.get("return_sequences") else given[:1]
        return (*kept, number(config, "units"))
    if kind.endswith("Embedding"):
        return (*given, number(config, "output_dim"))
    if kind == "Concatenate":
        return (*given[:-1], sum(other[-1] or 0 for other in shapes) or None)
    if kind == "RepeatVector":
        return (given[0], number(config, "n"), given[-1])
    for start, move in MOVES.items():
        if kind.startswith(start):
            return move(config, given)
    return given


def _moved(change: Callable[[Config, int, int, int], int]) -> Callable[[Config, Shape], Shape]:
    """A layer that changes each side by itself and, where it has filters, the channels."""

    def move(config: Config, given: Shape) -> Shape:
        rank = len(given) - 2
        sizes = (
            window(config, rank)
            if "kernel_size" in config
            else _sides(config, ("pool_size", "size"), rank, 1)
        )
        steps = _sides(config, ("strides", "pool_size", "size"), rank, 1)
        sides = [
            None if side is None else max(1, change(config, side, (sizes + [1] * rank)[axis], steps[axis]))
            for axis, side in enumerate(given[1:-1])
        ]
        channels = given[-1]
        if "filters" in config:
            channels = number(config, "filters")
        elif "depth_multiplier" in config and channels is not None:
            channels *= number(config, "depth_multiplier")
        return (given[0], *sides, channels)

    return move


def _sides(config: Config, keys: tuple[str, ...], rank: int, default: int) -> list[int]:
    value = next((config[key] for key in keys if config.get(key) is not None), default)
    sides = value if isinstance(value, list) else [value] * rank
    return [abs(s) or 1 if isinstance(s, int) else default for s in sides] + [default] * rank


def _narrower(config: Config, side: int, size: int, step: int) -> int:
    return -(-side // step) if config.get("padding") == "same" else (side - size) // step + 1


def _wider(config: Config, side: int, size: int, step: int) -> int:
    return side * step if config.get("padding") == "same" else side * step + max(size - step, 0)


def _padded(config: Config, given: Shape) -> Shape:
    value = config.get("padding")
    pairs = value if isinstance(value, list) else [value] * (len(given) - 2)
    more = [
        sum(abs(n) for n in p if isinstance(n, int)) if isinstance(p, list) else 2 * number({"p": p}, "p", 0)
        for p in pairs
    ]
    more += [0] * len(given)
    return (
        given[0],
        *(None if side is None else side + more[k] for k, side in enumerate(given[1:-1])),
        given[-1],
    )


MOVES: dict[str, Callable[[Config, Shape], Shape]] = {
    "ZeroPadding": _padded,
    "UpSampling": _moved(lambda config, side, size, step: side * step),
    "Resizing": lambda config, given: (
        given[0], number(config, "height"), number(config, "width"), given[-1]
    ),
    **{start: _moved(_narrower)
       for start in ("MaxPool", "AveragePool", "AvgPool", "Separable", "DepthwiseConv")},
    **{f"{start}{rank}Transpose": _moved(_wider)
       for start in ("Conv", "Convolution") for rank in ("1D", "2D", "3D")},
    "Conv": _moved(_narrower),
}  # fmt: skip
