"""The sentence above a map, made of the numbers that it shows."""

from __future__ import annotations

import numpy as np

from saliency_core.attribution import Attribution
from saliency_core.render.look import Look
from saliency_core.render.numbers import number_text
from saliency_core.render.reduce import signed_map, strongest
from saliency_view.panels import CHANNELS, confirmable
from saliency_view.text import plain


def sentence(made: Attribution, look: Look, *, final: bool = True) -> str:
    """Return what the map on screen says, in one or two sentences made of its own numbers, as markdown.

    Only what the look shows is spoken of: its sign, its channels. Of a map that is not `final`, nothing is
    said but the answer of the network.
    """
    said = ""
    if made.predictions:
        top = made.predictions[0]
        sure = "" if top.probability is None else f" ({100 * top.probability:.1f} %)"
        said = f"The network says **{plain(top.label)}**{plain(sure)}. "
    places = np.argwhere(strongest(made.values, look, made.error)) if final else ()
    if not len(places):
        return said
    row, col = (int(n) for n in places[np.square(places - places.mean(0)).sum(1).argmin()])  # of a region
    return said + plain(_strongest_words(made, look, row, col))


def _strongest_words(made: Attribution, look: Look, row: int, col: int) -> str:
    """Return what the number of the map at a place says, with the sign that it has."""
    value = float(signed_map(made.values, look)[row, col])
    worth = f"{number_text(value)} {made.units}, for the {made.words}."
    if made.values.ndim == 2:
        lines = made.cells.lines(made.values.shape, made.point.shape[:2])
        around = [line.first + line.step * cell for line, cell in zip(lines, (row, col), strict=True)]
        at = [round(min(max(n, 0), end - 1)) for n, end in zip(around, made.point.shape[:2], strict=True)]
        return f"The map is strongest around row {at[0]}, column {at[1]}: {worth}"
    place = f"{_part_words(made.values[row, col], look)} at row {row}, column {col}"
    moves = f"{'raises' if value > 0 else 'lowers'} the {made.words} by {number_text(abs(value))}"
    if made.kind == "contribution" and look.reduce != "l2":
        return f"The largest contribution on the map is {place}: it {moves}."
    if made.kind == "sensitivity" and look.reduce != "l2" and confirmable(made):
        return f"One grey level more in {place} {moves}; nothing on the map is stronger."
    return f"The strongest value of the map is {place}: {worth}"


def _part_words(channels: np.ndarray, look: Look) -> str:
    """Return which part of a pixel the number that stands for it on the map belongs to."""
    if len(channels) == 1 or look.reduce == "l2":
        return "the pixel"
    if look.reduce == "sum":
        return "the whole pixel"
    channel = look.channel if look.reduce == "channel" else int(np.abs(channels).argmax())
    return CHANNELS[len(channels)][channel] if len(channels) in CHANNELS else f"channel {channel}"
