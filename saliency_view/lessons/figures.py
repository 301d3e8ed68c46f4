"""Figures of a lesson as HTML: signed maps, kernels and colour bars on one scale."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from saliency_core.arrays import Array
from saliency_core.render.compose import layer
from saliency_core.render.look import Look
from saliency_core.render.numbers import number_text
from saliency_core.render.palettes import DIVERGING, palettes
from saliency_core.render.reduce import reduce_channels

SIGNED = Look(sign="signed", reduce="max_abs", clip=100.0)
STOPS = 17  # colours along the bar
FEW = 8  # kernels side by side

STYLE = """<style>
.figure { margin: 0; max-width: 30rem; font-variant-numeric: tabular-nums; }
.figure img { display: block; width: 100%; image-rendering: pixelated;
  border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: 3px; }
.figure figcaption { font-weight: 600; margin-bottom: 0.4rem; line-height: 1.35; }
.figure small, .bar small { display: block; font-weight: 400; font-size: 0.8125rem; opacity: 0.75; }
.kernels { display: grid; grid-template-columns: repeat(var(--across), minmax(0, 1fr)); gap: 0.5rem; }
.kernels div { text-align: center; font-size: 0.75rem; }
.kernels img + img { margin-top: 2px; }
.figure.wide { max-width: 44rem; }
.bar { max-width: 30rem; margin-top: 0.6rem; font-size: 0.8125rem; font-variant-numeric: tabular-nums; }
.bar i { display: block; background-origin: border-box; height: 0.6rem; border-radius: 2px;
  border: 1px solid color-mix(in srgb, currentColor 22%, transparent); }
.bar span { display: flex; justify-content: space-between; margin-top: 0.15rem; }
</style>"""


def reduced(values: Array) -> Array:
    """Return one signed number per pixel, (H, W), of a map (H, W, C): its channel of the largest size."""
    return np.asarray(reduce_channels(values, SIGNED), np.float32)


def largest(*maps: Array) -> float:
    """Return the largest size of any number in the maps: the end of their common scale."""
    return max(float(np.abs(one).max()) for one in maps)


def map_figure(values: Array, limit: float, title: str, note: str) -> str:
    """Return a map (H, W) as a figure of its own, coloured from -limit to +limit."""
    return _figure(title, note, _image(signed_colours(values, limit), title), "")


def photo_figure(photo: Array, title: str, note: str) -> str:
    """Return an image, uint8 (H, W, 1) or (H, W, 3), as a figure."""
    return _figure(title, note, _image(np.broadcast_to(photo, (*photo.shape[:2], 3)), title), "")


def kernels_figure(kernel: Array, limit: float, title: str, note: str) -> str:
    """Return kernels (k, l, C, M) as a figure: M tiles, each with its C channels from top to bottom."""
    tiles = []
    for number in range(kernel.shape[3]):
        one = kernel[..., number]
        name = f"kernel {number}: {number_text(one.min())} to {number_text(one.max())}"
        images = "".join(_image(signed_colours(one[..., c], limit), name) for c in range(one.shape[2]))
        tiles.append(f'<div title="{escape(name)}">{images}{number}</div>')
    across = FEW if kernel.shape[3] <= FEW * FEW else 2 * FEW
    return _figure(
        title, note, f'<div class="kernels" style="--across: {across}">{"".join(tiles)}</div>', " wide"
    )


def bar(limit: float, unit: str) -> str:
    """Return the colour bar that belongs to figures of this limit."""
    lut = palettes(DIVERGING)[0].lut
    places = np.linspace(0, len(lut) - 1, STOPS).round().astype(int)
    colours = ", ".join(f"rgb({r} {g} {b})" for r, g, b in lut[places].tolist())
    ends = "".join(f"<b>{number_text(end)}</b>" for end in (-limit, 0.0, limit))
    return (
        f'<div class="bar"><i style="background-image: linear-gradient(to right, {colours})"></i>'
        f"<span>{ends}</span><small>{escape(unit)}</small></div>"
    )


def _figure(title: str, note: str, body: str, kind: str) -> str:
    caption = f"<figcaption>{escape(title)}<small>{escape(note)}</small></figcaption>"
    return f'<figure class="figure{kind}">{caption}{body}</figure>'


def _image(pixels: Array, alt: str) -> str:
    return f'<img src="data:image/png;base64,{_png(pixels)}" alt="{escape(alt)}">'


def signed_colours(values: Array, limit: float) -> Array:
    """Return numbers (h, w) as uint8 (h, w, 3) in the signed palette, zero in its neutral middle."""
    lut = palettes(DIVERGING)[0].lut
    return layer(np.asarray(values, np.float32), limit, lut, DIVERGING, 1.0, 0.0)[..., :3]


def _png(pixels: Array) -> str:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
