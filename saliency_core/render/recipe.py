"""The classic figure of a gradient: the image, its size, its positive and its negative part, two by two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from saliency_core.arrays import Array, Bytes8, Values
from saliency_core.errors import NotFiniteError, SettingError
from saliency_core.render.figures import Drawable, panel, plain
from saliency_core.render.numbers import number_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METHODS = ("gradient()", "guided_backprop()", "deconvnet()")
SIDE, GAP, MARGIN, SCALE_ROOM, NAME_ROOM, HEAD_ROOM = 2.2, 0.2, 0.3, 0.32, 0.26, 0.62  # inches
COLOURS = (1, 3)  # channels that can be shown as they are
INK, FAINT = "#1c1c1c", "#5f6368"


@dataclass(frozen=True, eq=False)
class RecipePanel:
    """One quarter of the figure: its name, pixels (H, W, 3) uint8, and what black and white mean."""

    name: str
    pixels: Bytes8
    scale: str
    limit: float  # the value drawn white, 0 where the panel is empty


def recipe_panels(values: Values, image: Bytes8, units: str) -> tuple[RecipePanel, ...]:
    """Return image, size, positive and negative part of a map (H, W, C) over its image (H, W, C).

    Size is the largest channel's, in grey. The parts keep their colours and have a scale each, from 0 to
    their own largest value, so the two cannot be compared by brightness. A part that is not there is black
    and says so. Raises SettingError for a map of another size, NotFiniteError for one that is not finite.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 3 or values.shape != np.shape(image):
        raise SettingError(
            f"The recipe needs a map of the image's own shape {np.shape(image)}, this is {values.shape}.",
            "Choose a method that gives one: gradient, guided_backprop or deconvnet.",
        )
    if not np.isfinite(values).all():
        raise NotFiniteError("The map holds numbers that are not finite.", "Check the model's weights.")
    shown = [
        ("Size", np.abs(values).max(-1, keepdims=True)),
        ("Positive part", _coloured(np.maximum(values, 0))),
        ("Negative part", _coloured(np.maximum(-values, 0))),
    ]
    photo = image if image.shape[2] in COLOURS else np.rint(image.mean(-1, keepdims=True))
    told = RecipePanel("Image", _three(photo), "black 0, white 255", 255.0)
    return (told, *(_part(name, part, units) for name, part in shown))


def recipe_figure(made: Sequence[tuple[str, Drawable]], image: Bytes8, title: str = "") -> Figure:
    """Return one block of two by two panels for each (name, attribution), side by side.

    `image` is (H, W, C) uint8, as the model saw it. Raises what `recipe_panels` raises.
    """
    from matplotlib.figure import Figure

    blocks = [(name, recipe_panels(one.values, image, one.units)) for name, one in made]
    high = SIDE * min(max(image.shape[0] / image.shape[1], 0.4), 2.0)
    cell = NAME_ROOM + high + SCALE_ROOM
    block = 2 * SIDE + GAP
    across = 2 * MARGIN + len(blocks) * block + (len(blocks) - 1) * 2 * GAP
    total = HEAD_ROOM + 2 * cell + 0.1
    drawn = Figure(figsize=(across, total), dpi=150, facecolor="white")
    _text(drawn, MARGIN, total - 0.12, title, size=10, color=INK)
    for number, (name, panels) in enumerate(blocks):
        left = MARGIN + number * (block + 2 * GAP)
        _text(drawn, left, total - 0.36, name, size=9, color=INK)
        for place, part in enumerate(panels):
            x = left + (place % 2) * (SIDE + GAP)
            bottom = total - HEAD_ROOM - (place // 2 + 1) * cell + SCALE_ROOM
            axes = drawn.add_axes((x / across, bottom / total, SIDE / across, high / total))
            panel(axes, part.pixels, part.name)
            _text(drawn, x, bottom - 0.05, part.scale, size=6, color=FAINT)
    return drawn


def _part(name: str, part: Array, units: str) -> RecipePanel:
    limit = float(part.max())
    if limit == 0:
        empty = "the map is 0 everywhere" if name == "Size" else f"there is no {name.lower()}"
        return RecipePanel(name, np.zeros((*part.shape[:2], 3), np.uint8), f"all black: {empty}", 0.0)
    scale = f"black 0, white {number_text(limit)} {units}"
    return RecipePanel(name, _three(np.rint(part / limit * 255)), scale, limit)


def _coloured(part: Array) -> Array:
    """Return one or three channels; of another number the largest, in grey."""
    return part if part.shape[2] in COLOURS else part.max(-1, keepdims=True)


def _three(pixels: Array) -> Bytes8:
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.uint8))


def _text(drawn: Figure, left: float, top: float, text: str, **font: object) -> None:
    width, height = drawn.get_size_inches()
    drawn.text(left / width, top / height, plain(text), verticalalignment="top", parse_math=False, **font)  # type: ignore[arg-type]
