"""Occlusion and RISE against hand-written loops: `python benchmarks/blackbox.py [--json] [--threads 1]`.

The hand-written loop is what a TensorFlow user would write: the Keras model with its preprocessing and one
logit in a `tf.function`, masked images made in NumPy batch by batch, in the batch size that is quickest
here. Both run in this process, in turns. `--workers` also times the same methods on the app's two worker
processes, which share the chunks. Weights are random, seeded.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.measure import interleaved, machine, tell  # noqa: E402
from benchmarks.weights import as_if_trained  # noqa: E402
from saliency_core import explain, open_model  # noqa: E402
from saliency_core.gallery import sample  # noqa: E402
from saliency_core.images import read_image  # noqa: E402

GOALS = {"occlusion_mobilenet_v2_ratio": 1.05, "rise_mobilenet_v2_ratio": 1.05}
TARGET, CLASS, SEED, PHOTO = "class_logit(3)", 3, 11, "chelsea"
WINDOW, STRIDE, CELLS = 16, 8, 7
BATCHES = (4, 8, 16, 32)
AGREE = 1e-3  # largest difference of two maps, as a share of the largest value
Forward = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--threads", type=int, default=1, help="threads within and between operations")
    parser.add_argument("--rounds", type=int, default=5, help="times that each is run, at least 2")
    parser.add_argument("--masks", type=int, default=400, help="masks of RISE")
    parser.add_argument("--workers", action="store_true", help="also through two worker processes")
    given = parser.parse_args()
    for name in (
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
    ):
        os.environ.setdefault(name, str(given.threads))  # NumPy has been imported: see again()
    again()
    where = machine(threads=given.threads, masks=given.masks)
    figures = in_process(given.rounds, given.masks)
    if given.workers:
        shared = on_workers(given.masks)
        figures |= {f"{name}_two_workers_s": seconds for name, seconds in shared.items()}
        for name in ("occlusion", "rise"):
            alone = figures[f"{name}_mobilenet_v2_by_hand_s"]
            figures[f"{name}_two_workers_ratio"] = shared[name] / alone
    tell(figures, GOALS, where, given.json)


def again() -> None:
    """Start anew once, so that NumPy too is imported with the threads that were asked for."""
    if os.environ.get("BLACKBOX_STARTED") is None:
        os.environ["BLACKBOX_STARTED"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.argv])


def in_process(rounds: int, masks: int) -> dict[str, float]:
    """Return seconds of each method and of its loop, and their ratio."""
    import keras

    from saliency_core.engine.runtime import tensorflow

    tensorflow()
    keras.utils.set_random_seed(SEED)
    plain = as_if_trained(keras.applications.MobileNetV2(weights=None, classifier_activation=None), SEED)
    model = open_model(plain, preprocessing="symmetric", name="mobilenet_v2")
    point = model.prepare(sample(PHOTO).read())
    picture = np.rint(point).astype(np.uint8)
    point = picture.astype(np.float32)
    occlusion, rise = f"occlusion({WINDOW}, {STRIDE}, black())", f"rise({masks}, {CELLS}, baseline=black())"
    forward = hand_written(plain)
    batch = quickest(forward, point)
    work: dict[str, Callable[[], Any]] = {
        "occlusion": lambda: explain(model, picture, TARGET, occlusion).values,
        "occlusion_by_hand": lambda: occluded(forward, point, batch),
        "rise": lambda: explain(model, picture, TARGET, rise).values,
        "rise_by_hand": lambda: masked(forward, point, batch, masks, model, rise),
    }
    figures = {"by_hand_batch": float(batch)}
    for name in ("occlusion", "rise"):
        one, other = work[name](), work[f"{name}_by_hand"]()
        gap = float(np.abs(one - other).max() / np.abs(other).max())
        if not gap < AGREE:
            raise SystemExit(f"{name}: the two maps differ by {gap:.1e}; the times would mean nothing.")
        times = interleaved({key: work[key] for key in (name, f"{name}_by_hand")}, rounds, 0)
        figures |= {
            f"{name}_mobilenet_v2_s": times.median(name),
            f"{name}_mobilenet_v2_by_hand_s": times.median(f"{name}_by_hand"),
            f"{name}_mobilenet_v2_ratio": times.ratio(name, f"{name}_by_hand"),
            f"{name}_mobilenet_v2_spread": times.spread(name, f"{name}_by_hand"),
            f"{name}_map_gap": gap,
        }
    return figures


def hand_written(model: Any) -> Forward:
    """The logit of every image of a batch, as one writes it by hand."""
    import tensorflow as tf

    @tf.function
    def logits(pixels: Any) -> Any:
        return model(pixels / 127.5 - 1.0, training=False)[:, CLASS]

    return lambda images: logits(tf.constant(images)).numpy()


def quickest(forward: Forward, point: np.ndarray) -> int:
    """The batch size with the least time for an image, each tried three times after its trace."""
    seconds = {}
    for size in BATCHES:
        images = np.repeat(point[None], size, 0)
        forward(images)
        seconds[size] = min(timed(lambda images=images: forward(images)) for _ in range(5)) / size
    return min(seconds, key=seconds.__getitem__)


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def occluded(forward: Forward, point: np.ndarray, batch: int) -> np.ndarray:
    """Occlusion with a black window, averaged by coverage."""
    side = point.shape[0]
    corners = [
        (y, x) for y in range(0, side - WINDOW + 1, STRIDE) for x in range(0, side - WINDOW + 1, STRIDE)
    ]
    clean = forward(point[None])[0]
    drops, cover = np.zeros(point.shape[:2]), np.zeros(point.shape[:2])
    for first in range(0, len(corners), batch):
        part = corners[first : first + batch]
        images = np.repeat(point[None], batch, 0)  # the last batch is filled up: no second trace
        for image, (y, x) in zip(images, part, strict=False):
            image[y : y + WINDOW, x : x + WINDOW] = 0
        for score, (y, x) in zip(forward(images), part, strict=False):
            drops[y : y + WINDOW, x : x + WINDOW] += clean - score
            cover[y : y + WINDOW, x : x + WINDOW] += 1
    return drops / cover


def masked(
    forward: Forward, point: np.ndarray, batch: int, count: int, model: Any, method: str
) -> np.ndarray:
    """RISE with a black fill and the mean taken out; the same masks, stretched by two matrix products."""
    from saliency_core.grammar import parse

    way, size = parse("method", method), point.shape[:2]
    scores, total, seen = np.zeros(count), np.zeros(size), np.zeros(size)
    for first in range(0, count, batch):
        numbers = range(first, min(count, first + batch))
        masks = np.stack([way.mask(number, *size) for number in numbers])
        images = np.zeros((batch, *point.shape), np.float32)
        np.multiply(masks[..., None], point, out=images[: len(masks)])
        found = forward(images)[: len(masks)]
        scores[first : first + len(masks)] = found
        total += np.tensordot(found, masks, 1)
        seen += masks.sum(0)
    return (total - scores.mean() * seen) / ((count - 1) * way.p)


def on_workers(masks: int) -> dict[str, float]:
    """Return seconds of both methods as the app runs them: two processes that share the chunks."""
    from benchmarks.untrained import MODEL, mirror
    from saliency_core.workers.jobs import JobTable, Request
    from saliency_core.workers.pool import Pool

    image = read_image(sample(PHOTO).read())
    shown = {"model": MODEL, "image_name": image.name, "image_digest": image.digest, "target": TARGET}
    figures = {}
    with tempfile.TemporaryDirectory() as folder, mirror(Path(folder)) as leading_there:
        os.environ.update(leading_there)
        table = JobTable(Pool(2, tasks="benchmarks.untrained", wall_limit_s=600))
        for name, method in {
            "first": "occlusion(32, 32)",  # both workers open the model and trace it
            "occlusion": f"occlusion({WINDOW}, {STRIDE}, black())",
            "rise": f"rise({masks}, {CELLS}, baseline=black())",
        }.items():
            request = Request("explain", {**shown, "method": method}, {"image": image.pixels})
            figures[name] = timed(lambda asked=request: answered(table, asked))
        table.close()
    return figures


def answered(table: Any, request: Any) -> None:
    """Wait for the answer to a request."""
    job = table.submit(("benchmark", "map"), request)
    if not job.wait(600) or job.state != "done":
        raise SystemExit(f"The workers did not answer: {job.state}, {job.error}")


if __name__ == "__main__":
    main()
