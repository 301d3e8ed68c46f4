"""The shapes that Keras layers hand on, told from their configs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Shape = tuple[int | None, ...]
Config = dict[str, Any]


def shape(value: Any) -> Shape | None:
    """A shape as a file spells it, or None."""
    if not isinstance(value, list) or not value or isinstance(value[0], list):
        return None
    return tuple(abs(item) if isinstance(item, int) else None for item in value)


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
