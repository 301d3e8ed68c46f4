"""Figures for print: image, map and overlay side by side, with colour bar, units and recipe."""

from __future__ import annotations

import io
import textwrap
import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from saliency_core.arrays import Array, Bytes8, Values
from saliency_core.errors import SettingError
from saliency_core.render.compose import Rendered, render
from saliency_core.render.look import Look
from saliency_core.render.numbers import number_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("pdf", "svg", "png")
PANEL, GAP, MARGIN, BAR = 2.5, 0.14, 0.3, 0.13  # inches
BAR_ROOM, TITLE_ROOM, HEAD_ROOM = 0.95, 0.36, 0.28
SMALL, LINE = 6.5, 1.45  # caption: points, line height
CAPTION_FONT = "DejaVu Sans Mono"  # ships with Matplotlib
GLYPH = 0.602  # width of its letters, in ems
INK, FAINT = "#1c1c1c", "#5f6368"
LONGEST_PIECE, MOST_LINES = 600, 12
_SAVING = threading.Lock()  # Matplotlib's settings are global to the process


class Drawable(Protocol):
    """What a figure needs of an attribution; `recipe` is text, or names and what they stand for."""

    @property
    def values(self) -> Values: ...
    @property
    def units(self) -> str: ...
    @property
    def score(self) -> float: ...
    @property
    def kind(self) -> str: ...
    @property
    def recipe(self) -> Any: ...


def figure(attribution: Drawable, image: Bytes8, look: Look, title: str = "") -> Figure:
    """Return a Matplotlib figure of image, map and overlay with everything needed to read them.

    `image` is (H, W, 1) or (H, W, 3) uint8. Titles, labels and recipes are drawn letter by letter, as
    text, never as markup. Raises what `render` raises.
    """
    from matplotlib.figure import Figure

    rendered = render(attribution, image, look)
    height, width = image.shape[:2]
    tall = PANEL * min(max(height / width, 0.4), 2.0)
    across = 2 * MARGIN + 3 * PANEL + 2 * GAP + BAR_ROOM
    caption = _caption(attribution, rendered, int((across - 2 * MARGIN) * 72 / (SMALL * GLYPH)))
    below = 0.3 + len(caption) * SMALL * LINE / 72
    head = HEAD_ROOM + (TITLE_ROOM if title else 0.1)
    total = below + tall + head
    drawn = Figure(figsize=(across, total), dpi=200, facecolor="white")

    def axes(left: float, wide: float) -> Axes:
        return drawn.add_axes((left / across, below / total, wide / across, tall / total))

    panels = (("Image", image), ("Map", rendered.rgba[..., :3]), ("Map over image", rendered.overlay))
    for at, (name, pixels) in enumerate(panels):
        panel(axes(MARGIN + at * (PANEL + GAP), PANEL), pixels, name)
    _bar(axes(MARGIN + 3 * PANEL + 3 * GAP, BAR), rendered)
    _write(drawn, 1 - 0.16 / total, plain(title), size=11, color=INK)
    _write(drawn, (below - 0.14) / total, "\n".join(caption), size=SMALL, color=FAINT, family=CAPTION_FONT)
    return drawn


def figure_bytes(drawn: Figure, format: str) -> bytes:
    """Return the figure as a "pdf", "svg" or "png" file; the same figure gives the same bytes."""
    from matplotlib import rc_context

    if format not in FORMATS:
        raise SettingError(
            f"A figure cannot be saved as {format[:20]!r}.", f"Choose one of: {', '.join(FORMATS)}."
        )
    undated: dict[str, Any] = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[format]
    buffer = io.BytesIO()
    rules: Any = {"svg.hashsalt": "saliency", "svg.fonttype": "none", "pdf.fonttype": 42}
    with _SAVING, rc_context(rules):
        drawn.savefig(buffer, format=format, metadata=undated)
    return buffer.getvalue()


def plain(text: str) -> str:
    """Return foreign text on one line, with a replacement sign for what cannot be printed."""
    one_line = " ".join(text[:LONGEST_PIECE].split())
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in one_line)


def _write(drawn: Figure, top: float, text: str, **font: Any) -> None:
    left = MARGIN / drawn.get_figwidth()
    drawn.text(left, top, text, verticalalignment="top", linespacing=LINE / 1.2, parse_math=False, **font)


def panel(axes: Axes, pixels: Array, name: str) -> None:
    """Draw pixels under their name, with no ticks."""
    shown = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    axes.imshow(shown, interpolation="none")
    axes.set_title(name, size=8, color=FAINT, loc="left", pad=4)
    axes.set_xticks([])
    axes.set_yticks([])
    for edge in axes.spines.values():
        edge.set(color="#d0d3d6", linewidth=0.5)


def _bar(axes: Axes, rendered: Rendered) -> None:
    """The colours from low to high; the colour of zero alone where the scale is empty."""
    legend, lut = rendered.legend, rendered.lut
    zero = 128 if legend.family == "diverging" else 0
    colours = lut if rendered.limit else lut[zero : zero + 1]
    axes.imshow(colours[:, None], origin="lower", aspect="auto", extent=(0, 1, 0, 1), interpolation="none")
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.set_yticks([tick.at for tick in legend.ticks], [tick.text for tick in legend.ticks])
    axes.tick_params(labelsize=7, length=2, width=0.5, color=FAINT, labelcolor=INK)
    axes.set_ylabel(plain(legend.unit), size=7, color=FAINT, parse_math=False)
    for edge in axes.spines.values():
        edge.set_visible(False)


def _caption(attribution: Drawable, rendered: Rendered, letters: int) -> list[str]:
    """What was asked and how it was drawn, wrapped to lines of so many letters."""
    recipe = attribution.recipe
    pieces = [str(recipe)] if not isinstance(recipe, dict) else [_piece(*item) for item in recipe.items()]
    facts = [
        f"score {number_text(attribution.score)}",
        plain(attribution.kind),
        *map(plain, filter(None, pieces)),
    ]
    told = [rendered.note or "", " · ".join(facts), rendered.look.spelling]
    wrapped = [textwrap.wrap(text, letters, max_lines=MOST_LINES, placeholder=" …") for text in told]
    return [line for lines in wrapped for line in lines]


def _piece(name: str, value: Any) -> str:
    """One fact of a recipe; of a digest, the first twelve letters tell enough."""
    if value is None or value == "":
        return ""
    return f"{name.replace('_', ' ')} {str(value)[:12] if name.endswith('sha256') else value}"
