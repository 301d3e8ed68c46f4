"""Handwritten digits of scikit-learn as pictures: the split, the plain picture, the varied ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from tools.strokes import stroke_field

HELD_OUT = 500
SPLIT_SEED = 20_240_901
SIDE = 28
SOURCE = "scikit-learn load_digits: 1,797 handwritten digits of 8 x 8 pixels (UCI, E. Alpaydin and C. Kaynak)"

_CELL = 6
_FIELD = 8 * _CELL


class Split(NamedTuple):
    """Digits (N, 8, 8) in 0..1 and their labels (N,), for training and held out."""

    training: np.ndarray
    training_labels: np.ndarray
    held_out: np.ndarray
    held_out_labels: np.ndarray


def split() -> Split:
    """The 1,297 digits trained on and the 500 held out, balanced over the classes, always the same."""
    digits = load_digits()
    kept, held, kept_labels, held_labels = train_test_split(
        digits.images / 16, digits.target, test_size=HELD_OUT, stratify=digits.target, random_state=SPLIT_SEED
    )
    return Split(kept, kept_labels, held, held_labels)


def picture(digit: np.ndarray, side: int = SIDE) -> np.ndarray:
    """One digit (8, 8) in 0..1 as a smooth picture (side, side) uint8: white ink on black, with a margin."""
    box = round(side * 0.8)
    small = Image.fromarray(np.pad(digit, 1).astype(np.float32))
    large = np.asarray(small.resize((box * 10 // 8, box * 10 // 8), Image.Resampling.BICUBIC))
    before = (large.shape[0] - side) // 2
    if before >= 0:
        large = large[before : before + side, before : before + side]
    else:
        large = np.pad(large, ((-before, side - large.shape[0] + before),) * 2)
    return np.rint(255 * np.clip((large - 0.25) / 0.5, 0, 1)).astype(np.uint8)


def ridges(digit: np.ndarray) -> np.ndarray:
    """A digit (8, 8) as a smooth field (48, 48): 1 on the middle of a stroke, falling to 0 beside it."""
    field = np.clip(
        ndimage.zoom(np.pad(digit, 1), _CELL, order=3, grid_mode=True, mode="grid-constant"), 0, 1
    )
    crest = ndimage.gaussian_filter(ndimage.maximum_filter(field, 2 * _CELL), _CELL / 2)
    field = field / np.maximum(crest, 0.3)
    return field[_CELL:-_CELL, _CELL:-_CELL].astype(np.float32)


def varied(rng: np.random.Generator, field: np.ndarray) -> np.ndarray:
    """A `ridges` field as somebody else might have drawn it, (28, 28) uint8."""
    bent = ndimage.map_coordinates(field, _coordinates(rng), order=1)
    # A high level keeps the crest of the stroke only: a thin pen. A low one is a felt tip.
    level, softness = rng.uniform(0.3, 0.85), rng.uniform(0.05, 0.4)
    ink = np.clip((bent - level) / softness + 0.5, 0, 1)
    ink = ink.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))
    if rng.random() < 0.3:
        ink = ndimage.gaussian_filter(ink, rng.uniform(0.3, 0.8))
    return _on_paper(rng, ink)


def _coordinates(rng: np.random.Generator) -> np.ndarray:
    """Where each of 56 x 56 sub-pixels looks in the field: turned, sheared, scaled, shifted, bent."""
    axis = (np.arange(2 * SIDE) + 0.5) / (2 * SIDE) - 0.5
    y, x = np.meshgrid(axis, axis, indexing="ij")
    height = rng.uniform(0.5, 0.95)
    width = height * rng.uniform(0.65, 1.45)
    room = max(0.0, (1 - height) / 2)
    y, x = y - rng.uniform(-room, room) * 0.9, x - rng.uniform(-room, room) * 0.9
    angle = np.radians(rng.normal(0, 9))
    x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    x = x + rng.normal(0, 0.18) * y
    bend = [_spread(rng.normal(0, 0.035, (4, 4))) for _ in "yx"]
    return np.stack([(y / height + bend[0] + 0.5), (x / width + bend[1] + 0.5)]) * _FIELD - 0.5


def _spread(knots: np.ndarray) -> np.ndarray:
    """A few numbers as a smooth field over the sub-pixels."""
    sheet = Image.fromarray(knots.astype(np.float32))
    return np.asarray(sheet.resize((2 * SIDE, 2 * SIDE), Image.Resampling.BICUBIC))


def _on_paper(rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """Ink (28, 28) in 0..1 as grey levels: white on black or black on white, half of them with flaws."""
    if rng.random() < 0.5:
        shades = ink * 255
    else:
        paper, contrast = rng.uniform(0, 0.35), rng.uniform(0.4, 1)
        slope = np.linspace(-1, 1, SIDE) * rng.uniform(-0.1, 0.1)
        light = paper + (slope[:, None] if rng.random() < 0.5 else slope[None, :])
        shades = 255 * (light + ink * np.maximum(contrast - light, 0.3))
        shades = shades + rng.normal(0, rng.uniform(0, 12), ink.shape)
    shades = 255 - shades if rng.random() < 0.5 else shades
    return np.rint(np.clip(shades, 0, 255)).astype(np.uint8)


def augmented(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` varied digits (count, 28, 28, 1) uint8 and labels, every fifth drawn with a pen; by seed."""
    data = split()
    fields = [ridges(digit) for digit in data.training]
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(fields), size=count)
    labels = data.training_labels[rows]
    images = [
        varied(rng, fields[row] if place % 5 else stroke_field(rng, int(label)))
        for place, (row, label) in enumerate(zip(rows, labels, strict=True))
    ]
    return np.stack(images)[..., None], labels
