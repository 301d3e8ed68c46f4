"""Time and points of every registered method: `python benchmarks/methods.py [--json] [--markdown]`.

Each method has its default settings and explains the top class, once before the clock starts, so that
graphs are traced, unless that takes longer than PATIENCE seconds. Models: the shipped `scenes`, and
MobileNetV2 with random weights, seeded. `--markdown` writes the table of docs/methods.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from benchmarks.measure import machine, tell  # noqa: E402
from benchmarks.weights import as_if_trained  # noqa: E402
from saliency_core import explain, open_model  # noqa: E402
from saliency_core.errors import SaliencyError  # noqa: E402
from saliency_core.gallery import sample  # noqa: E402
from saliency_core.registry import table  # noqa: E402

DOCS = ROOT / "docs" / "methods.md"
OPENING, CLOSING = "<!-- table: costs -->\n", "<!-- end: costs -->"
SEED = 11
PATIENCE = 3.0  # seconds; a slower method is timed once, with its traces
ROUNDS = 5
HEADS = ("Method", "scenes: points", "seconds", "MobileNetV2: points", "seconds")


class Cost(NamedTuple):
    """What one method takes for one map; `refused` says why it gives none."""

    points: int = 0
    seconds: float = 0.0
    refused: str = ""

    def cells(self) -> tuple[str, str]:
        """Points and seconds as text."""
        return ("-", "-") if self.refused else (f"{self.points}", shown(self.seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--markdown", action="store_true", help="write the table of docs/methods.md")
    parser.add_argument("--only", default="", help="ids of methods, with commas between")
    parser.add_argument("--threads", type=int, default=1, help="threads within and between operations")
    given = parser.parse_args()
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(given.threads)  # read when TensorFlow is imported, which is below
    where = machine(threads=given.threads)
    wanted = [id for id, cls in table("method").items() if not cls.hidden]
    if given.only:
        wanted = [id for id in wanted if id in given.only.split(",")]
    costs = {name: {id: cost(model, picture, id) for id in wanted} for name, model, picture in models()}
    for id in wanted:
        for name, found in costs.items():
            if found[id].refused:
                print(f"{id} gives no map of {name}: {found[id].refused}")
    rows = [(f"`{id}`", *(cell for found in costs.values() for cell in found[id].cells())) for id in wanted]
    print(markdown(HEADS, rows))
    if given.markdown and not given.only:
        DOCS.write_text(placed(DOCS.read_text(encoding="utf-8"), markdown(HEADS, rows)), encoding="utf-8")
    figures = {
        f"{id}_{name}_{what}": float(getattr(found[id], what))
        for name, found in costs.items()
        for id in wanted
        for what in ("points", "seconds")
        if not found[id].refused
    }
    tell(figures, {}, where, given.json)


def models() -> Iterable[tuple[str, Any, np.ndarray]]:
    """Yield name, model and image of the two networks."""
    scenes = open_model("scenes")
    yield "scenes", scenes, np.rint(scenes.prepare(sample("scene_star").read())).astype(np.uint8)
    import keras

    keras.utils.set_random_seed(SEED)
    network = as_if_trained(keras.applications.MobileNetV2(weights=None), SEED)
    large = open_model(network, preprocessing="symmetric", name="mobilenet_v2")
    yield "mobilenet_v2", large, np.rint(large.prepare(sample("chelsea").read())).astype(np.uint8)


def cost(model: Any, picture: np.ndarray, id: str) -> Cost:
    """Return what a method takes for one map: the points that were counted, and the median seconds."""
    counts: list[int] = [0]

    def count(done: int, total: int) -> None:
        counts[0] = done

    def once() -> float:
        return timed(lambda: explain(model, picture, "top_class()", f"{id}()", on_progress=count))

    try:
        first = once()
    except SaliencyError as problem:
        return Cost(refused=problem.problem)
    seconds = [first] if first > PATIENCE else [once() for _ in range(ROUNDS)]
    return Cost(counts[0], statistics.median(seconds))


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def shown(seconds: float) -> str:
    """Two figures that mean something."""
    return f"{seconds:.3f}" if seconds < 0.1 else f"{seconds:.2f}" if seconds < 1 else f"{seconds:.1f}"


def markdown(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; every column but the first is of numbers."""
    heads = tuple(heads)
    lines = [heads, ("---", *("---:" for _ in heads[1:])), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def placed(text: str, body: str) -> str:
    """Return a document with the table written anew; ValueError where there is no place for it."""
    before, found, rest = text.partition(OPENING)
    _, ended, after = rest.partition(CLOSING)
    if not (found and ended):
        raise ValueError("docs/methods.md has no place for the table 'costs'.")
    return f"{before}{OPENING}{body}{CLOSING}{after}"


if __name__ == "__main__":
    main()
