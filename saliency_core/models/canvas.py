"""Several image inputs on one canvas of pixels, side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from saliency_core.arrays import Float
from saliency_core.errors import ImageError
from saliency_core.images import Image, fit
from saliency_core.models.description import Place

Shape = tuple[int, int, int]


def is_several(image: Any) -> bool:
    """Tell whether something is a list of images rather than one."""
    return isinstance(image, list | tuple)


def together(images: Sequence[Image], places: Sequence[Place], shape: Shape, how: str) -> Image:
    """Return one image of the canvas with each image in its place. Raises ImageError for a wrong number."""
    if len(images) != len(places) or len(places) < 2:
        inputs = f"{len(places)} image inputs" if len(places) > 1 else "one image input"
        raise ImageError(
            f"{len(images)} images were given, the model has {inputs}.",
            "Give one image, or one for each input.",
        )
    canvas = np.zeros(shape, np.float32)
    for image, place in zip(images, places, strict=True):
        _lay(canvas, image, place, how)
    digest = hashlib.sha256(" ".join(image.digest for image in images).encode()).hexdigest()
    pixels = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return Image(pixels, " + ".join(image.name for image in images), digest, "several")


def laid_out(image: Image, places: Sequence[Place], shape: Shape, how: str) -> Float:
    """Return the canvas with the same image in every place; an image of the canvas's shape is one already."""
    if image.pixels.shape == shape:
        return image.pixels.astype(np.float32)
    canvas = np.zeros(shape, np.float32)
    for place in places:
        _lay(canvas, image, place, how)
    return canvas


def _lay(canvas: Float, image: Image, place: Place, how: str) -> None:
    """Put one image in its place; a gray input fills all channels, of which the network reads the first."""
    fitted = fit(image, place.height, place.width, place.channels, how)
    rows = slice(place.row, place.row + place.height)
    columns = slice(place.column, place.column + place.width)
    channels = slice(None) if place.channels == 1 else slice(0, place.channels)
    canvas[rows, columns, channels] = fitted
