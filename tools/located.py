"""What one process of tools/ground_truth.py does: find scenes of known truth, and measure maps on them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from saliency_core import explain, open_model
from saliency_core.arrays import Array, Float
from saliency_core.checks.localisation import energy_inside, heat_of, iou_at_area, pointing
from saliency_core.errors import SaliencyError
from saliency_core.render.compose import enlarge
from saliency_core.scenes import FIRST_HELD_OUT_SEED, Scene, render_scene

FIRST_SEED = FIRST_HELD_OUT_SEED + 2_000
"""Earlier scenes were trained on or told how accurate the models are; later ones were never looked at."""

OBJECT, MARK = "scenes", "scenes_shortcut"
Heat = Callable[[Array, int], Float]


@dataclass(frozen=True)
class Finding:
    """What a map shows on one scene; `object` and `mark` are pointing, energy inside, IoU at the area."""

    object: tuple[float, float, float]
    mark: tuple[float, float, float]
    seconds: float  # of the processor
    flat: bool
    refused: str = ""


def begin() -> None:
    """Let TensorFlow use one thread: two processes share the machine."""
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"


def chosen(name: str, count: int) -> tuple[list[int], int]:
    """Return the first seeds whose truth is known to a model, and how many scenes were looked at.

    `scenes`: the model names the object. `scenes_shortcut`: the mark is of another class than the object,
    the model names the mark's class, and names another one once the mark is taken away.
    """
    model, found, seed = opened(name), [], FIRST_SEED
    while len(found) < count:
        scene = scene_of(name, seed)
        first = model.classify(scene.image)[0].index
        if name == OBJECT:
            known = first == scene.label
        else:
            known = first == scene.mark_label != scene.label
            known = known and model.classify(render_scene(seed).image)[0].index != first
        found += [seed] * known
        seed += 1
    return found, seed - FIRST_SEED


def located(name: str, table: str, method: str, seeds: Sequence[int]) -> list[Finding]:
    """Explain a model's answers by a method on the scenes of a table, and measure every map."""
    model = opened(name)
    if method not in BASELINES:
        _try(model, method, scene_of(table, seeds[0]))  # what is traced on first use costs no map its time
    return [_finding(model, method, scene_of(table, seed), seed) for seed in seeds]


@cache
def opened(name: str) -> Any:
    return open_model(name)


def scene_of(table: str, seed: int) -> Scene:
    return render_scene(seed, mark="none" if table == OBJECT else "random")


def _finding(model: Any, method: str, scene: Scene, seed: int) -> Finding:
    started = time.process_time()
    if method in BASELINES:
        heat, refused = BASELINES[method](scene.image, seed), ""
    else:
        heat, refused = _try(model, method, scene)
    seconds = time.process_time() - started
    if heat is None:
        return Finding((0, 0, 0), (0, 0, 0), seconds, False, refused)
    mark = np.zeros_like(scene.mask)
    if scene.mark_box is not None:
        top, left, bottom, right = scene.mark_box
        mark[top:bottom, left:right] = True
    on_mark = _measured(heat, mark) if mark.any() else (0.0, 0.0, 0.0)
    return Finding(_measured(heat, scene.mask), on_mark, seconds, bool(heat.min() == heat.max()))


def _try(model: Any, method: str, scene: Scene) -> tuple[Float | None, str]:
    try:
        made = explain(model, scene.image, "top_class()", method)
    except SaliencyError as problem:
        return None, str(problem)
    high, wide, _ = made.point.shape
    return enlarge(heat_of(made.values, made.kind), high, wide, made.cells), ""


def _measured(heat: Float, mask: Any) -> tuple[float, float, float]:
    return pointing(heat, mask), energy_inside(heat, mask), iou_at_area(heat, mask)


def _random(image: Array, seed: int) -> Float:
    """Even noise: what no knowledge at all is worth."""
    return np.random.default_rng(seed).random(image.shape[:2], np.float32)


def _edges(image: Array, seed: int) -> Float:
    """The image's own edges, Sobel on its grey levels: what can be had without any network."""
    from skimage.filters import sobel

    edges: Float = sobel(image.mean(2)).astype(np.float32)
    return edges


def _centre(image: Array, seed: int) -> Float:
    """A cone: 1 at the centre of the image, 0 at its corners."""
    row, col = ((np.arange(side) + 0.5) / side - 0.5 for side in image.shape[:2])
    cone: Float = (1 - np.hypot(row[:, None], col[None]) / np.hypot(0.5, 0.5)).astype(np.float32)
    return cone


BASELINES: dict[str, Heat] = {"random": _random, "edges": _edges, "centre": _centre}
