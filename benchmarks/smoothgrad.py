"""Fifty gradients against hand-written single ones: `python benchmarks/smoothgrad.py [--json]`.

SmoothGrad with 50 samples and Integrated Gradients with 50 steps on MobileNetV2, through `explain` as a
notebook calls it, and through the pool of two workers as the app does. The hand-written gradient is that of
benchmarks/gradient.py with TensorFlow's own threads; all take turns. Weights are random, seeded.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.gradient import CLASS, PHOTO, SEED, cases, check_same, hand_written  # noqa: E402
from benchmarks.measure import Times, interleaved, machine, tell  # noqa: E402
from saliency_core import explain, open_model  # noqa: E402
from saliency_core.gallery import sample  # noqa: E402
from saliency_core.images import read_image  # noqa: E402
from saliency_core.workers.jobs import JobTable, Request  # noqa: E402
from saliency_core.workers.pool import Pool  # noqa: E402

GOALS = {
    "smoothgrad50_mobilenet_v2_ratio": 17,
    "integrated_gradients50_mobilenet_v2_ratio": 17,
    "smoothgrad50_mobilenet_v2_pool_ratio": 17,
    "integrated_gradients50_mobilenet_v2_pool_ratio": 17,
}
METHODS = {
    "smoothgrad50": "smoothgrad(samples=50, seed={})",
    "integrated_gradients50": "integrated_gradients(steps=50, baseline=noise({}))",
}
TARGET = f"class_logit({CLASS})"
READY_S = 120.0
seeds = itertools.count()  # no question is asked twice, or the pool would remember the answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--rounds", type=int, default=15, help="how often each is timed")
    parser.add_argument("--alone", action="store_true", help="leave the pool out")
    given = parser.parse_args()
    where = machine(rounds=given.rounds)
    (case, *_) = cases()
    import keras

    keras.utils.set_random_seed(SEED)
    shown, plain = case.build("softmax"), case.build(None)
    plain.set_weights(shown.get_weights())
    model = open_model(shown, preprocessing=case.preprocessing, name=case.name)
    picture = np.rint(model.prepare(sample(PHOTO).read())).astype(np.uint8)
    point = model.prepare(picture)[None]
    by_hand = hand_written(plain, case.by_hand, point)
    check_same(case.name, by_hand(), model.probe(TARGET).gradient(point))
    work: dict[str, Callable[[], Any]] = {"by_hand": lambda: [by_hand() for _ in range(5)]}
    for name, method in METHODS.items():
        work[name] = lambda method=method: explain(model, picture, TARGET, method.format(next(seeds)))
    figures = figures_of(interleaved(work, given.rounds), "", list(METHODS))
    if not given.alone:
        with pool() as ask:
            work |= {name: lambda method=method: ask(picture, method) for name, method in METHODS.items()}
            figures |= figures_of(interleaved(work, given.rounds), "_pool", list(METHODS))
    tell(figures, GOALS, where, given.json)


def figures_of(times: Times, suffix: str, names: list[str]) -> dict[str, float]:
    """Return milliseconds, ratio and spread; five gradients by hand were timed at once."""
    found = {f"gradient_by_hand{suffix}_ms": 1e3 * times.median("by_hand") / 5}
    for name in names:
        stem = f"{name}_mobilenet_v2{suffix}"
        found[f"{stem}_ms"] = 1e3 * times.median(name)
        found[f"{stem}_ratio"] = 5 * times.ratio(name, "by_hand")
        found[f"{stem}_spread"] = times.spread(name, "by_hand")
    return found


@contextmanager
def pool() -> Iterator[Callable[[np.ndarray, str], None]]:
    """Start two workers as the app does, on the same network; yields what asks them and waits."""
    from benchmarks.untrained import MODEL, mirror

    with tempfile.TemporaryDirectory() as folder, mirror(Path(folder)) as environment:
        os.environ.update(environment)
        workers = Pool(2, "benchmarks.untrained")
        table = JobTable(workers)

        def ask(picture: np.ndarray, method: str) -> None:
            image = read_image(picture)
            params = {
                "model": MODEL,
                "target": TARGET,
                "method": method.format(next(seeds)),
                "image_name": image.name,
                "image_digest": image.digest,
            }
            job = table.submit(("benchmark", "map"), Request("explain", params, {"image": image.pixels}))
            if not job.wait(READY_S) or job.state != "done":
                raise SystemExit(f"The pool did not answer: {job.error or job.state}.")

        try:
            ask(picture=np.zeros((224, 224, 3), np.uint8), method=METHODS["smoothgrad50"])
            yield ask
        finally:
            workers.close()


if __name__ == "__main__":
    main()
