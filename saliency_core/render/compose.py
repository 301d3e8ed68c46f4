"""From a map and an image to a picture: a colour and a weight for every pixel, over the photo."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saliency_core.arrays import Array, Bytes8, Float, read_only
from saliency_core.cells import STRETCHED, Cells, enlarged
from saliency_core.errors import ImageError
from saliency_core.render.look import Look
from saliency_core.render.numbers import number_text
from saliency_core.render.palettes import DIVERGING, palette
from saliency_core.render.reduce import indistinct, reduce_channels
from saliency_core.render.scale import explain_flat, is_flat, limit

SLIDE = 800  # pixels of the longer side that a picture needs on a slide
LEVELS = {"sequential": 255, "diverging": 128}  # steps of colour from zero to the limit


@dataclass(frozen=True)
class Tick:
    """A mark on the colour bar: `at` runs from 0, the palette's first colour, to 1."""

    at: float
    value: float
    text: str


@dataclass(frozen=True)
class Legend:
    """What the colours mean: the values at both ends of the palette, their unit and marks between."""

    low: float
    high: float
    unit: str
    ticks: tuple[Tick, ...]
    family: str


@dataclass(frozen=True, eq=False)
class Rendered:
    """A drawn map; all arrays are read-only and of the size of the image.

    map: (H, W) float32, the reduced numbers. limit: the value at the end of the scale. lut: (N, 3) uint8.
    rgba: (H, W, 4) uint8, the layer alone, not premultiplied. overlay: (H, W, 3) uint8, the layer over
    the image, in grey or in colour. note: a sentence on what the colours cannot show, or None. flat: all
    pixels are the same.
    """

    map: Float
    limit: float
    lut: Bytes8
    rgba: Bytes8
    overlay: Bytes8
    legend: Legend
    note: str | None
    flat: bool
    look: Look


def render(attribution_or_values: Any, image_pixels: Bytes8, look: Look, units: str = "") -> Rendered:
    """Draw a map over an image as a look says.

    Takes an attribution, or values (H, W, C) or (h, w) with their `units`; the image is uint8,
    (H, W, 1) or (H, W, 3). The scale belongs to the map as given; a map smaller than the image is then
    enlarged, smoothly or in blocks, with its numbers where the attribution's cells lie. Raises ImageError
    if the map is larger, and what `reduce_channels` raises.
    """
    values = np.asarray(getattr(attribution_or_values, "values", attribution_or_values))
    unit = units or getattr(attribution_or_values, "units", "")
    photo = _photo(image_pixels)
    reduced = reduce_channels(values, look)
    end = look.limit or limit(reduced, look.clip)
    chosen = palette(look.palette)
    cells = getattr(attribution_or_values, "cells", STRETCHED)
    shown = enlarge(reduced, photo.shape[0], photo.shape[1], cells, look.smooth)
    error = getattr(attribution_or_values, "error", None) if look.faded else None
    faint = cover(indistinct(values, error, look), photo.shape[0], photo.shape[1], cells)
    rgba = layer(shown, end, chosen.lut, chosen.family, look.opacity, look.threshold, faint)
    return Rendered(
        map=read_only(shown),
        limit=end,
        lut=chosen.lut,
        rgba=read_only(rgba),
        overlay=read_only(over(backdrop(photo, look.backdrop), rgba)),
        legend=_legend(end, unit, look, chosen.family),
        note=_note(values, reduced, end, look),
        flat=is_flat(reduced),
        look=look,
    )


def layer(
    map2d: Float,
    limit: float,
    lut: Bytes8,
    family: str,
    opacity: float,
    threshold: float,
    faint: Array | None = None,
) -> NDArray[np.uint8]:
    """Return colour and weight of every pixel, (H, W, 4) uint8; what is `faint` (H, W) gets no weight.

    All in float64, with v a value of the map and n = 255 (sequential) or 128 (diverging):

        t = min(1, max(-1, v / limit)), or 0 if the limit is 0
        t = 0 if abs(t) < threshold or faint
        m = floor(abs(t) * n + 0.5)
        index = m if sequential, 128 + m if diverging and t >= 0, 128 - m if diverging and t < 0
        colour = lut[index]
        alpha = floor(255 * opacity * abs(t) + 0.5)
    """
    with np.errstate(over="ignore"):
        t = np.clip(map2d.astype(np.float64) / limit, -1, 1) if limit else np.zeros(map2d.shape)
    size = np.abs(t)
    size[size < threshold] = 0
    if faint is not None:
        size[faint] = 0
    index = np.floor(size * LEVELS[family] + 0.5).astype(np.int16)
    if family == DIVERGING:
        index = 128 + np.where(t < 0, -index, index)
    alpha = np.floor(255 * opacity * size + 0.5).astype(np.uint8)
    return np.concatenate([lut[index], alpha[..., None]], -1)


def backdrop(photo: Bytes8, how: str) -> Bytes8:
    """Return the photo (H, W, 3) in "colour" as it is, or in "grey": (299 R + 587 G + 114 B) // 1000."""
    if how == "colour":
        return photo
    grey = (photo.astype(np.uint32) @ np.array([299, 587, 114], np.uint32)) // 1000
    return np.broadcast_to(grey.astype(np.uint8)[..., None], photo.shape)


def over(photo: Bytes8, rgba: Bytes8) -> NDArray[np.uint8]:
    """Lay a layer (H, W, 4) over a photo (H, W, 3): `(photo * (255 - a) + colour * a + 127) // 255`."""
    alpha = rgba[..., 3:].astype(np.uint32)
    return ((photo * (255 - alpha) + rgba[..., :3] * alpha + 127) // 255).astype(np.uint8)


def enlarge(map2d: Float, height: int, width: int, cells: Cells = STRETCHED, smooth: bool = True) -> Float:
    """Return the map at the size of the image: bilinear, pixel centres at half coordinates; or in blocks.

    Without `cells` the map reaches from edge to edge.
    """
    if map2d.shape == (height, width) and cells == STRETCHED:
        return map2d
    if map2d.shape[0] > height or map2d.shape[1] > width:
        raise ImageError(
            f"The map has {map2d.shape[0]} x {map2d.shape[1]} pixels, the image only {height} x {width}.",
            "Draw it over the image as the model sees it: model.prepare(image).",
        )
    return enlarged(map2d, height, width, cells, smooth)


def cover(mask: Array | None, height: int, width: int, cells: Cells = STRETCHED) -> Array | None:
    """Return a mask at the size of the image: each pixel takes that of the cell it lies in."""
    if mask is None or mask.shape == (height, width):
        return mask
    return np.asarray(enlarge(mask.astype(np.float32), height, width, cells, smooth=False) > 0)


def overlay_png(rendered: Rendered, side: int = 0) -> bytes:
    """Return the map over the image as a PNG file.

    Each pixel is repeated, the same number of times across and down, until the longer side has at least
    `side` pixels; no colour is mixed.
    """
    times = max(1, -(-side // max(rendered.overlay.shape[:2])))
    return _png(rendered.overlay.repeat(times, 0).repeat(times, 1))


def map_png(rendered: Rendered) -> bytes:
    """Return the map alone, in opaque colours, as a PNG file."""
    return _png(rendered.rgba[..., :3])


def _png(pixels: Bytes8) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return buffer.getvalue()


def _photo(pixels: Array) -> Bytes8:
    """The image as (H, W, 3), gray repeated."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or 0 in pixels.shape:
        raise ImageError(
            f"An image to draw on is uint8 (H, W, 1) or (H, W, 3), this one is {pixels.dtype} {pixels.shape}."
        )
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def _legend(end: float, unit: str, look: Look, family: str) -> Legend:
    low = -end if family == DIVERGING else 0.0
    high = -end if look.sign == "negative" and end else end
    places = (0.0, 0.5, 1.0) if end else (0.5,) if family == DIVERGING else (0.0,)
    ticks = tuple(Tick(at, value := low + at * (high - low), number_text(value)) for at in places)
    return Legend(low, high, unit, ticks, family)


def beyond(reduced: Float, end: float) -> str:
    """Return what share of a map's pixels the scale has no colours for, or nothing where all fit."""
    share = np.count_nonzero(np.abs(reduced.astype(np.float64)) > end) / reduced.size if end else 0.0
    return f"{100 * share:.2g} % of the pixels lie beyond the scale." if share else ""


def _note(values: Array, reduced: Float, end: float, look: Look) -> str | None:
    if is_flat(reduced):
        return explain_flat(values, look)
    sizes = np.abs(reduced.astype(np.float64))
    if sizes.max() < look.threshold * end:
        return f"Nothing is drawn: all values are below the threshold, {number_text(look.threshold * end)}."
    return beyond(reduced, end) or None
