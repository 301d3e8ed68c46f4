"""One canvas of raw pixels for all image inputs of a network, and how each input is cut out of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from saliency_core.errors import ModelError
from saliency_core.models.description import Place
from saliency_core.models.preprocessing import Preprocessing

COLOURS = (1, 3, 4)
Dims = Sequence[int | None] | None  # without the batch; None where the rank is open


@dataclass(frozen=True)
class Slot:
    """An image input: where it lies on the canvas, and in which form the network takes it.

    layout: "last" (h, w, c), "first" (c, h, w), "gray" (h, w), "flat" (h * w * c), or "single": (h, w, c)
    without a batch.
    """

    name: str
    shape: tuple[int, int, int]
    layout: str
    dtype: str
    column: int = 0

    @property
    def place(self) -> Place:
        """Where it lies, as plain data."""
        return Place(self.name, 0, self.column, *self.shape)


def slot_for(name: str, dims: Dims, dtype: str, size: Sequence[int] | None) -> Slot | None:
    """Return how an input of these dimensions takes an image, or None when it is no image.

    Raises ModelError when it may be one and `size` is needed to tell.
    """
    given = tuple(size or ())
    if dims is None or len(dims) == 1:
        return _flat_slot(name, dims, dtype, given)
    if len(dims) == 2:
        height, width = _filled(name, dims, given)
        return Slot(name, (height, width, 1), "gray", dtype)
    if len(dims) != 3:
        return None
    sides = [extent for extent in dims[1:] if extent is not None]
    first = dims[0] in COLOURS and dims[2] is not None and min(sides) > max(COLOURS)
    open_first = dims[0] in COLOURS and dims[1] is None and dims[2] is None
    if first or open_first:
        height, width = _filled(name, dims[1:], given)
        return Slot(name, (height, width, int(dims[0] or 0)), "first", dtype)
    height, width = _filled(name, dims[:2], given)
    channels = dims[2] if dims[2] is not None else (given[2] if len(given) > 2 else None)
    if channels is None:
        raise ModelError(
            f"The input {name!r} leaves the number of channels open.", "Give size=(height, width, channels)."
        )
    return Slot(name, (height, width, int(channels)), "last", dtype)


def _flat_slot(name: str, dims: Dims, dtype: str, given: tuple[int, ...]) -> Slot | None:
    shape = (*given, 1)[:3] if len(given) == 2 else given
    if dims is None:
        if len(shape) != 3:
            raise ModelError(
                f"The input {name!r} does not say what size of image it takes.",
                "Give size=(height, width, channels).",
            )
        return Slot(name, (shape[0], shape[1], shape[2]), "last", dtype)
    if len(shape) != 3:
        return None
    if dims[0] is not None and math.prod(shape) != dims[0]:
        raise ModelError(
            f"size={tuple(given)} has {math.prod(shape)} values; the input {name!r} takes {dims[0]}.",
            "Give the height, width and channels that its numbers come from.",
        )
    return Slot(name, (shape[0], shape[1], shape[2]), "flat", dtype)


def _filled(name: str, dims: Sequence[int | None], given: tuple[int, ...]) -> tuple[int, int]:
    if any(extent is None for extent in dims) and len(given) < 2:
        raise ModelError(
            "The model leaves the image size open.",
            "Give one: size=(height, width) in Python, --size HEIGHTxWIDTH, or Image size in the browser.",
        )
    filled = [int(own if own is not None else given[k]) for k, own in enumerate(dims)]
    return filled[0], filled[1]


def side_by_side(slots: Sequence[Slot]) -> tuple[list[Slot], tuple[int, int, int]]:
    """Return the slots with their columns, and the canvas (H, W, C) that holds them all."""
    placed, column = [], 0
    for slot in slots:
        placed.append(replace(slot, column=column))
        column += slot.shape[1]
    return placed, (max(s.shape[0] for s in slots), column, max(s.shape[2] for s in slots))


def cut_out(tf: Any, pixels: Any, slot: Slot, preprocessing: Preprocessing, batch: int) -> Any:
    """Return one input's numbers from the canvas, through the preprocessing, as the network takes them."""
    height, width, channels = slot.shape
    if tuple(pixels.shape[1:]) != slot.shape:
        pixels = pixels[:, :height, slot.column : slot.column + width, :channels]
    ready = prepared(tf, pixels, preprocessing, channels)
    if slot.layout == "gray":
        ready = tf.squeeze(ready, -1)
    elif slot.layout == "first":
        ready = tf.transpose(ready, [0, 3, 1, 2])
    elif slot.layout == "single":
        ready = ready[0]
    elif slot.layout == "flat":
        ready = tf.reshape(ready, [batch or -1, height * width * channels])
    return tf.cast(ready, slot.dtype)


def prepared(tf: Any, pixels: Any, preprocessing: Preprocessing, channels: int) -> Any:
    """Return raw pixels through the preprocessing, in float32."""
    scale, shift, order = preprocessing.affine_for(channels)
    if order == "bgr":
        pixels = tf.reverse(pixels, [-1])
    if (scale != 1).any():
        pixels = pixels * tf.constant(scale, tf.float32)
    return pixels + tf.constant(shift, tf.float32) if (shift != 0).any() else pixels
