"""One gradient against a hand-written one: `python benchmarks/gradient.py [--json] [--threads 1]`.

The hand-written gradient is what a TensorFlow user would write: the same Keras model, the same
preprocessing and the same logit in a `tf.function` with a GradientTape that watches the pixels only.
Both run in this process, in turns, with the threads that a worker has. Weights are random, seeded.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import PIL.Image  # noqa: E402

from benchmarks.measure import Times, interleaved, machine, tell  # noqa: E402
from benchmarks.weights import as_if_trained  # noqa: E402
from saliency_core import explain, open_model  # noqa: E402
from saliency_core.gallery import sample  # noqa: E402

GOALS = {
    "gradient_mobilenet_v2_ratio": 0.75,
    "gradient_resnet50_ratio": 0.88,
    "gradient_small_ratio": 1.02,
    "explain_overhead_ratio": 1.15,
}
CLASS = 3
SEED = 11
PHOTO = "chelsea"  # of the gallery; as a PNG of the size of the model where bytes are wanted
# A ReLU within float32 rounding of its kink moves the gradient by some 5e-3; a wrong class by about 1.
AGREE = 1e-2


class Case(NamedTuple):
    """A network twice, with softmax for the lab and with logits for the hand-written gradient."""

    name: str
    preprocessing: str
    rounds: int
    build: Callable[[str | None], Any]  # last activation -> Keras model
    by_hand: Callable[[Any], Any]  # the same preprocessing in TensorFlow


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--threads", type=int, default=1, help="threads within and between operations")
    parser.add_argument("--quick", action="store_true", help="a fifth of the rounds")
    given = parser.parse_args()
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(given.threads)  # read when TensorFlow is imported, which is below
    where = machine(threads=given.threads)
    figures: dict[str, float] = {}
    for case in cases():
        figures |= measured(case, case.rounds // 5 if given.quick else case.rounds)
    tell(figures, GOALS, where, given.json)


def cases() -> tuple[Case, ...]:
    """The three networks."""
    from saliency_core.engine.runtime import tensorflow

    tensorflow()
    import keras

    def application(name: str, reach: float) -> Callable[[str | None], Any]:
        build = getattr(keras.applications, name)
        return lambda last: as_if_trained(build(weights=None, classifier_activation=last), SEED, reach)

    def caffe(pixels: Any) -> Any:
        return pixels[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32)

    return (
        Case("mobilenet_v2", "symmetric", 60, application("MobileNetV2", 1.0), lambda x: x / 127.5 - 1.0),
        Case("resnet50", "caffe", 30, application("ResNet50", 128.0), caffe),
        Case("small", "unit", 1500, lambda last: as_if_trained(small(last), SEED), lambda x: x / 255.0),
    )


def small(last: str | None) -> Any:
    """A convolutional network for 28 x 28 grey pictures and ten classes."""
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(10, activation=last),
        ]
    )


def measured(case: Case, rounds: int) -> dict[str, float]:
    """Return the figures of one network: milliseconds, ratio, spread; for MobileNetV2 the whole way too."""
    import keras

    keras.utils.set_random_seed(SEED)
    shown, plain = case.build("softmax"), case.build(None)
    plain.set_weights(shown.get_weights())
    model = open_model(shown, preprocessing=case.preprocessing, name=case.name)
    picture = np.rint(model.prepare(sample(PHOTO).read())).astype(np.uint8)
    point = model.prepare(picture)[None]
    probe = model.probe(f"class_logit({CLASS})")
    by_hand = hand_written(plain, case.by_hand, point)
    work: dict[str, Callable[[], Any]] = {"by_hand": by_hand, "probe": lambda: probe.gradient(point)}
    if case.name == "mobilenet_v2":
        sent = png(picture)
        work["explain"] = lambda: explain(model, sent, f"class_logit({CLASS})")
    check_same(case.name, by_hand(), probe.gradient(point))
    return figures_of(case.name, interleaved(work, rounds))


def hand_written(model: Any, prepare: Callable[[Any], Any], point: np.ndarray) -> Callable[[], np.ndarray]:
    """The gradient of one logit by the pixels as one writes it by hand; its input is a tensor already."""
    import tensorflow as tf

    @tf.function
    def gradient(pixels: Any, index: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(pixels)
            logit = model(prepare(pixels), training=False)[:, index]
        return tape.gradient(logit, pixels)

    pixels, index = tf.constant(point), tf.constant(CLASS)
    return lambda: gradient(pixels, index).numpy()


def check_same(name: str, one: np.ndarray, other: np.ndarray) -> None:
    """Refuse to time two things that are not the same gradient."""
    gap = float(np.linalg.norm(one - other) / np.linalg.norm(one))
    if not gap < AGREE:
        raise SystemExit(f"{name}: the two gradients differ by {gap:.1e}; the times would mean nothing.")


def figures_of(name: str, times: Times) -> dict[str, float]:
    figures = {
        f"gradient_{name}_ms": 1e3 * times.median("probe"),
        f"gradient_{name}_by_hand_ms": 1e3 * times.median("by_hand"),
        f"gradient_{name}_ratio": times.ratio("probe", "by_hand"),
        f"gradient_{name}_spread": times.spread("probe", "by_hand"),
    }
    if "explain" in times.seconds:
        figures |= {
            "explain_ms": 1e3 * times.median("explain"),
            "explain_overhead_ratio": times.ratio("explain", "probe"),
            "explain_overhead_spread": times.spread("explain", "probe"),
        }
    return figures


def png(picture: np.ndarray) -> bytes:
    """A picture as the bytes of a PNG file."""
    held = io.BytesIO()
    PIL.Image.fromarray(picture.squeeze()).save(held, "PNG")
    return held.getvalue()


if __name__ == "__main__":
    main()
