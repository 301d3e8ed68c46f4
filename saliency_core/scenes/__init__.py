"""Rendered scenes whose object is known to the pixel: training data and ground truth in one."""

from saliency_core.scenes.marks import MARK_MODES, mark_glyph
from saliency_core.scenes.scene import (
    FIRST_HELD_OUT_SEED,
    FIRST_TRAINING_SEED,
    LAST_TRAINING_SEED,
    SCENE_SIZE,
    Scene,
    render_scene,
    scenes,
)
from saliency_core.scenes.shapes import LABELS

__all__ = [
    "FIRST_HELD_OUT_SEED",
    "FIRST_TRAINING_SEED",
    "LABELS",
    "LAST_TRAINING_SEED",
    "MARK_MODES",
    "SCENE_SIZE",
    "Scene",
    "mark_glyph",
    "render_scene",
    "scenes",
]
