"""Overlapping regions of an image, from fine to coarse, and the order in which they matter."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saliency_core.arrays import Array, Float, read_only

# The constants of PAIR's implementation of XRAI, made for images of 224 x 224 pixels.
SCALES = (50, 100, 150, 250, 500, 1200)
SIGMA = 0.8
SIDE = 224
SMALLEST = 150  # pixels of a segment
WIDENED = 5  # pixels by which a region reaches beyond its edge
LEAST = 50  # pixels that a region must add
REMEMBERED = 6  # images whose regions are kept

Masks = NDArray[np.bool_]


def regions(point: Float) -> Masks:
    """Return the regions of an image (H, W, C), as (regions, H, W) bool: each scale covers all of it.

    Felzenszwalb's segments of the image at 224 x 224 pixels and in -1..1, for six scales, each widened by 5
    pixels; by less on smaller images.
    """
    packed = _regions(point.astype(np.float32).tobytes(), point.shape)
    return np.unpackbits(packed, axis=-1, count=point.shape[1]).astype(bool)


def least_gain(height: int, width: int) -> int:
    """Return the pixels that a region must add: 50 on 224 x 224, in proportion on less."""
    return max(1, round(LEAST * min(1.0, height * width / SIDE**2)))


def ranked(attribution: Array, masks: Masks) -> Array:
    """Return a map (H, W) float64 in which each pixel has the mean attribution of its region.

    Again and again the region is taken whose pixels not taken yet have the highest mean; it keeps only
    these. What no region can add any more is one last region. So the map has the sum of the attribution.
    """
    return Ranking(masks).of(attribution)


class Ranking:
    """Regions that many maps of one image are ranked by, told once where each of them lies."""

    def __init__(self, masks: Masks) -> None:
        self._pixels = [np.flatnonzero(mask) for mask in masks]
        self._over = np.full((masks[0].size, int(masks.sum(0).max())), len(masks))  # as many: none
        known = np.zeros(masks[0].size, int)
        for number, pixels in enumerate(self._pixels):
            self._over[pixels, known[pixels]] = number
            known[pixels] += 1

    def of(self, attribution: Array) -> Array:
        """Return what `ranked` does."""
        values = attribution.astype(np.float64).reshape(-1)
        counts = np.array([len(pixels) for pixels in self._pixels])
        sums = np.array([values[pixels].sum() for pixels in self._pixels])
        open_, free = np.ones(len(counts), bool), np.ones(len(values), bool)
        made, least = np.zeros(len(values)), least_gain(*attribution.shape)
        while (open_ := open_ & (counts >= least)).any():
            means = np.where(open_, sums / np.maximum(counts, 1), -np.inf)
            best = int(means.argmax())
            taken = self._pixels[best][free[self._pixels[best]]]
            made[taken] = values[taken].mean()
            free[taken], open_[best] = False, False
            fewer, less = self._within(taken, values)
            counts, sums = counts - fewer, sums - less
        if free.any():
            made[free] = values[free].mean()
        return made.reshape(attribution.shape)

    def _within(self, pixels: Array, values: Array) -> tuple[Array, Array]:
        """Return how many of these pixels lie in each region, and the sum of their values."""
        over, some = self._over[pixels], len(self._pixels) + 1
        each = np.repeat(values[pixels], over.shape[1])
        return np.bincount(over.flat, minlength=some)[:-1], np.bincount(over.flat, each, some)[:-1]


@lru_cache(REMEMBERED)
def _regions(pixels: bytes, shape: tuple[int, ...]) -> Array:
    """Return the regions of an image, eight pixels of a row in a byte."""
    labels = _labels(np.frombuffer(pixels, np.float32).reshape(shape))
    radius = round(WIDENED * min(1.0, np.sqrt(shape[0] * shape[1]) / SIDE))
    return read_only(np.packbits(np.concatenate([_widened(one, radius) for one in labels]), axis=-1))


def _labels(image: Float) -> list[Array]:
    """Return the segments of an image at each scale, (H, W) each."""
    from skimage.segmentation import felzenszwalb

    shape = image.shape
    small = _prepared(image if shape[2] in (1, 3) else image.mean(-1, keepdims=True))
    found = [
        felzenszwalb(small, scale=scale, sigma=SIGMA, min_size=SMALLEST, channel_axis=-1) for scale in SCALES
    ]
    return [_resized(one, shape[:2], 0).astype(int) for one in found]


def _prepared(image: Float) -> Array:
    """Return an image at 224 x 224 pixels, its darkest value at -1 and its brightest at 1."""
    low, high = float(image.min()), float(image.max())
    ranged = (image.astype(np.float64) - low) / (high - low or 1.0) * 2 - 1
    return _resized(ranged, (SIDE, SIDE), 3)


def _resized(image: Array, shape: Any, order: int) -> Array:
    from skimage.transform import resize

    if image.shape[:2] == tuple(shape):
        return image
    found: Array = resize(
        image, shape, order=order, mode="constant", preserve_range=True, anti_aliasing=order > 0
    )
    return found


def _widened(labels: Array, radius: int) -> Masks:
    """Return each label's pixels and those within a distance of them, (labels, H, W) bool."""
    from scipy.ndimage import distance_transform_edt, find_objects

    made = []
    for label, box in enumerate(find_objects(labels + 1)):
        if box is None:  # lost when the segments were brought to the size of the image
            continue
        mask = np.zeros(labels.shape, bool)
        wide = tuple(slice(max(0, side.start - radius), side.stop + radius) for side in box)
        mask[wide] = distance_transform_edt(labels[wide] != label) <= radius
        made.append(mask)
    return np.stack(made)
