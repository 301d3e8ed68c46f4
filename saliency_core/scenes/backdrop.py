"""What lies behind the object: textures and distractors that never look like a class."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from saliency_core.scenes.shapes import Outline

Field = npt.NDArray[np.float32]

DARKEST, LIGHTEST = 40.0, 215.0
"""Background colours stay between these, so that grain never clips at 0 or 255."""

GRAIN_LIMIT = 20.0


@lru_cache(maxsize=8)
def _grid(size: int) -> tuple[Field, Field]:
    """x and y of the pixel centres, -0.5..0.5."""
    axis: Field = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size) - np.float32(0.5)
    return np.tile(axis, (size, 1)), np.tile(axis[:, None], (1, size))


def slope(size: int, angle: float) -> Field:
    """Distance along a direction, about -0.7..0.7 over the frame."""
    x, y = _grid(size)
    return x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle))


def _gradient(rng: np.random.Generator, size: int) -> Field:
    return 0.5 + 0.7 * slope(size, rng.uniform(0, 2 * np.pi))


def _wave(rng: np.random.Generator, size: int, angle: float) -> Field:
    """A wave of 3 to 12 periods a frame, from soft to almost square."""
    phase = rng.uniform(0, 2 * np.pi)
    crest: Field = np.sin(slope(size, angle) * np.float32(2 * np.pi * rng.uniform(3, 12)) + np.float32(phase))
    square: Field = np.clip(crest * np.float32(rng.uniform(1, 6)), -1, 1)
    return square


def _stripes(rng: np.random.Generator, size: int) -> Field:
    return 0.5 + 0.5 * _wave(rng, size, rng.uniform(0, np.pi))


def _checks(rng: np.random.Generator, size: int) -> Field:
    angle = rng.uniform(0, np.pi)
    return 0.5 + 0.5 * _wave(rng, size, angle) * _wave(rng, size, angle + np.pi / 2)


def _noise(rng: np.random.Generator, size: int) -> Field:
    cells = int(rng.integers(3, 25))
    coarse = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
    smooth: Field = np.clip(np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)), 0, 1)
    return smooth


TEXTURES = {"gradient": _gradient, "stripes": _stripes, "checks": _checks, "noise": _noise}


def backdrop(rng: np.random.Generator, size: int) -> tuple[Field, Field]:
    """A textured background, (size, size, 3) float32, and the two colours it runs between, (2, 3)."""
    first = rng.uniform(DARKEST, LIGHTEST, 3)
    second = np.clip(first + rng.uniform(-75, 75, 3), DARKEST, LIGHTEST)
    colours = np.stack([first, second]).astype(np.float32)
    texture = list(TEXTURES.values())[int(rng.integers(len(TEXTURES)))](rng, size)
    return colours[0] + texture[..., None] * (colours[1] - colours[0]), colours


def grain(rng: np.random.Generator, size: int) -> Field:
    """Film grain, (size, size, 1) float32 within +-GRAIN_LIMIT."""
    strength = np.float32(rng.uniform(1, 8))
    speckle = rng.standard_normal((size, size, 1), dtype=np.float32) * strength
    clipped: Field = np.clip(speckle, -GRAIN_LIMIT, GRAIN_LIMIT)
    return clipped


def _line(rng: np.random.Generator, reach: float) -> Outline:
    """A stroke a pixel or two wide."""
    half = np.array([rng.uniform(1.5, 6.0) * reach, rng.uniform(0.12, 0.3) * reach])
    return Outline(np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half)


def _blob(rng: np.random.Generator, reach: float) -> Outline:
    """A small lump with a wavy edge."""
    t = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    wobble = 1 + 0.3 * np.sin(2 * t + rng.uniform(0, 6)) + 0.25 * np.sin(3 * t + rng.uniform(0, 6))
    radius = wobble * rng.uniform(0.6, 1.2) * reach
    return Outline(np.stack([np.cos(t), np.sin(t)], axis=1) * radius[:, None])


def _scrap(rng: np.random.Generator, reach: float) -> Outline:
    """An irregular snippet with five to seven corners."""
    corners = int(rng.integers(5, 8))
    t = (np.arange(corners) + rng.uniform(-0.35, 0.35, corners)) * (2 * np.pi / corners)
    radius = rng.uniform(0.5, 1.7, corners) * reach
    return Outline(np.stack([np.cos(t), np.sin(t)], axis=1) * radius[:, None])


DISTRACTORS = (_line, _blob, _scrap)


def distractors(rng: np.random.Generator, size: int) -> Iterator[tuple[Outline, Field]]:
    """Two to seven small outlines and their colours, (3,) float32; each far smaller than any object."""
    reach = size / 28
    for _ in range(int(rng.integers(2, 8))):
        outline = DISTRACTORS[int(rng.integers(len(DISTRACTORS)))](rng, reach)
        angle = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        colour = rng.uniform(DARKEST, LIGHTEST, 3).astype(np.float32)
        yield outline.moved(turn, rng.uniform(0, size, 2)), colour
