"""One scene from one seed: an object of a known class on a background, and its exact mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saliency_core.errors import SettingError
from saliency_core.scenes.backdrop import Field, backdrop, distractors, grain, slope
from saliency_core.scenes.marks import MARK_MODES, mark_glyph, mark_place
from saliency_core.scenes.shapes import LABELS, OUTLINES, Outline, cover

SCENE_SIZE = 96
FIRST_TRAINING_SEED, LAST_TRAINING_SEED = 0, 999_999
"""The shipped models were trained on scenes of seeds in this range only."""
FIRST_HELD_OUT_SEED = 10_000_000
"""Scenes from this seed on were never trained on."""

_OBJECT, _BACKDROP, _DISTRACTORS, _GRAIN, _MARK = range(5)
_SMALLEST, _LARGEST = 0.17, 0.33


@dataclass(frozen=True, eq=False)
class Scene:
    """A rendered scene and the truth about it.

    `image` (size, size, 3) uint8; `mask` (size, size) bool, true where the object is seen, however
    little of the pixel it covers; `label` an index into LABELS; `mark_box` top, left, bottom, right
    of the corner mark and `mark_label` the class it stands for, or None without a mark.
    """

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    label: int
    mark_box: tuple[int, int, int, int] | None = None
    mark_label: int | None = None


def render_scene(
    seed: int,
    label: int | None = None,
    *,
    size: int = SCENE_SIZE,
    mark: str = "none",
    colour: tuple[int, int, int] | None = None,
) -> Scene:
    """The scene of a seed; same arguments, same bytes.

    Without `label` the class is seed modulo the number of classes. Label, mark and colour each change
    only themselves: background, distractors, place and size of the object stay those of the seed.
    Raises SettingError for a negative seed, an unknown label or mark, or a size outside 32..512.
    """
    label = seed % len(LABELS) if label is None else label
    _check(seed, label, size, mark)
    canvas, colours = backdrop(_stream(seed, _BACKDROP), size)
    for outline, paint in distractors(_stream(seed, _DISTRACTORS), size):
        spot = cover(outline, size)
        canvas[spot.window] += spot.share[..., None] * (paint - canvas[spot.window])
    rng = _stream(seed, _OBJECT)
    spot = cover(_placed(rng, label, size), size)
    shaded = _shaded(rng, colours, size, colour, spot.window)
    canvas[spot.window] += spot.share[..., None] * (shaded - canvas[spot.window])
    canvas += grain(_stream(seed, _GRAIN), size)
    image = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    mask = np.zeros((size, size), bool)
    mask[spot.window] = spot.share > 0
    if mark == "none":
        return Scene(image, mask, label)
    drawn = int(_stream(seed, _MARK).integers(len(LABELS)))
    return _marked(Scene(image, mask, label), label if mark == "own" else drawn)


def scenes(
    first_seed: int,
    count: int,
    *,
    label: int | None = None,
    size: int = SCENE_SIZE,
    mark: str = "none",
) -> Iterator[Scene]:
    """The scenes of `count` consecutive seeds, one at a time."""
    for seed in range(first_seed, first_seed + count):
        yield render_scene(seed, label, size=size, mark=mark)


def _check(seed: int, label: int, size: int, mark: str) -> None:
    if seed < 0:
        raise SettingError(f"The scene's seed is {seed}; it must be 0 or more.", "Choose another seed.")
    if not 0 <= label < len(LABELS):
        raise SettingError(
            f"There is no scene class {label}; classes are 0 to {len(LABELS) - 1}.",
            f"Choose one of {', '.join(LABELS)}.",
        )
    if not 32 <= size <= 512:
        raise SettingError(f"A scene of {size} pixels cannot be rendered.", "Choose a size from 32 to 512.")
    if mark not in MARK_MODES:
        raise SettingError(f"There is no mark mode {mark!r}.", f"Choose one of {', '.join(MARK_MODES)}.")


def _stream(seed: int, part: int) -> np.random.Generator:
    """Random numbers of one part of one scene: no part disturbs another."""
    return np.random.Generator(np.random.PCG64([seed, part]))


def _placed(rng: np.random.Generator, label: int, size: int) -> Outline:
    """The outline of a class, turned, stretched by up to a sixth, and placed wholly inside the frame."""
    radius = rng.uniform(_SMALLEST, _LARGEST) * size
    angle = rng.uniform(0, 2 * np.pi)
    stretch = np.exp(rng.uniform(-0.08, 0.08))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag([radius * stretch, radius / stretch])
    reach = radius * float(np.exp(0.08)) + 1
    return OUTLINES[LABELS[label]].moved(matrix, rng.uniform(reach, size - reach, 2))


def _shaded(
    rng: np.random.Generator,
    colours: Field,
    size: int,
    colour: tuple[int, int, int] | None,
    window: tuple[slice, slice],
) -> Field:
    """The object's paint in a window, (h, w, 3): a colour that stands out from both background colours."""
    candidates = rng.uniform(15, 240, (24, 3)).astype(np.float32)
    tones = np.concatenate([colours, colours.mean(axis=0, keepdims=True)])
    contrast = np.linalg.norm(candidates[:, None] - tones[None], axis=2).min(axis=1)
    clear = np.flatnonzero(contrast > 90)
    chosen = candidates[clear[0] if clear.size else contrast.argmax()]
    paint = chosen if colour is None else np.array(colour, np.float32)
    light = 1 + np.float32(rng.uniform(0, 0.3)) * slope(size, rng.uniform(0, 2 * np.pi))[window]
    shaded: Field = np.clip(paint * light[..., None], 0, 255)
    return shaded


def _marked(scene: Scene, mark_label: int) -> Scene:
    """The scene with a class's mark in the corner; what the mark hides leaves the object's mask."""
    top, left, bottom, right = box = mark_place(len(scene.mask))
    image, mask = scene.image.copy(), scene.mask.copy()
    image[top:bottom, left:right] = mark_glyph(mark_label, (bottom - top) // 3)
    mask[top:bottom, left:right] = False
    return Scene(image, mask, scene.label, box, mark_label)
