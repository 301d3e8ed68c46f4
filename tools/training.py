"""What the training scripts share: fitting, measuring, and writing a model with its card."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from saliency_core.engine.freeze import freeze_keras  # noqa: E402
from saliency_core.grammar import spell  # noqa: E402
from saliency_core.models.preprocessing import Preprocessing  # noqa: E402

BUNDLED = ROOT / "saliency_core" / "models" / "bundled"
LICENCE = "Same licence as the project: trained from scratch by the script named here."


def fit(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int,
    peak: float = 3e-3,
    batch: int = 100,
    smoothing: float = 0.05,
    turned: bool = False,
) -> None:
    """Train up to the layer `logits` on images (N, H, W, C) uint8, divided by 255; flipped too if `turned`.

    AdamW; the rate rises for a tenth of the steps, then falls to nothing as a cosine. Smoothed labels
    keep probabilities from saturating at 1, where their gradient would vanish.
    """
    classes = model.output_shape[-1]
    steps = epochs * -(-len(images) // batch)
    warm = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(
        peak / 20, steps - warm, warmup_target=peak, warmup_steps=warm
    )
    headless = keras.Model(model.inputs, model.get_layer("logits").output)
    headless.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-3),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing),
        metrics=["accuracy"],
        jit_compile=False,
    )
    rows = tf.data.Dataset.range(len(images)).shuffle(len(images), reshuffle_each_iteration=True).batch(batch)

    def read(row: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        picked = tf.numpy_function(lambda i: images[i], [row], tf.uint8)
        picked = tf.ensure_shape(picked, (None, *images.shape[1:]))
        wanted = tf.one_hot(tf.numpy_function(lambda i: labels[i].astype(np.int64), [row], tf.int64), classes)
        picked = _turned(picked) if turned else picked
        return tf.cast(picked, tf.float32) / 255, tf.ensure_shape(wanted, (None, classes))

    headless.fit(rows.map(read).prefetch(2), epochs=epochs, verbose=2)


def _turned(images: tf.Tensor) -> tf.Tensor:
    """A batch after one of the eight turns and flips of a square, drawn anew for each batch."""
    changes = (lambda x: tf.transpose(x, [0, 2, 1, 3]), tf.image.flip_left_right, tf.image.flip_up_down)
    for change in changes:
        images = tf.where(tf.random.uniform([]) < 0.5, change(images), images)
    return images


def accuracy(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of images (N, H, W, C) uint8 whose top class is the label."""
    hits = 0
    for start in range(0, len(images), 250):
        batch = images[start : start + 250].astype(np.float32) / 255
        hits += int((np.argmax(model(batch, training=False), axis=1) == labels[start : start + 250]).sum())
    return hits / len(images)


def measured(on: str, value: float, count: int) -> dict[str, Any]:
    """One measurement as a card shows it."""
    return {"on": on, "value": round(value, 4), "of": "accuracy", "count": count}


def ship(
    name: str,
    model: keras.Model,
    preprocessing: Preprocessing,
    *,
    title: str,
    about: str,
    labels: Sequence[str],
    measurements: Sequence[dict[str, Any]],
    trained: dict[str, Any],
) -> None:
    """Freeze a model and write it to the bundled models, with its card."""
    frozen = freeze_keras(model, preprocessing)[0].whole()
    card = {
        "name": name,
        "title": title,
        "about": about,
        "labels": list(labels),
        "input": list(frozen.shape),
        "output": frozen.output,
        "preprocessing": spell(preprocessing),
        "measured": list(measurements),
        "trained": trained,
        "parameters": model.count_params(),
        "licence": LICENCE,
        "sha256": hashlib.sha256(frozen.graph).hexdigest(),
    }
    BUNDLED.mkdir(parents=True, exist_ok=True)
    (BUNDLED / f"{name}.pb").write_bytes(frozen.graph)
    (BUNDLED / f"{name}.json").write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    print(f"{name}: {len(frozen.graph) / 1e6:.2f} MB, {model.count_params():,} parameters, {measurements}")
