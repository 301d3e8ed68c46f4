"""Measure every method where the truth is known: `python tools/ground_truth.py [--only METHOD] [--count N]`.

Writes the tables of docs/ground_truth.md. Same seeds, same figures, but for the seconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from saliency_core.checks.intervals import bootstrap, wilson  # noqa: E402
from saliency_core.methods.base import Method, Refining  # noqa: E402
from saliency_core.registry import table  # noqa: E402
from tools import located, marked  # noqa: E402

DOCUMENT = ROOT / "docs" / "ground_truth.md"
SCRIPT = "tools/ground_truth.py"
COUNTS = {located.OBJECT: 500, located.MARK: 200}
PART, PROCESSES = 25, 2
MOST_POINTS = 400
"""Points of the network a map may cost here; methods that repeat themselves do it less often instead."""

HEADS = {
    located.OBJECT: (
        "Method",
        "Settings",
        "Scenes",
        "Pointing game",
        "Energy inside",
        "IoU at the object's area",
        "CPU seconds a map",
    ),
    located.MARK: (
        "Method",
        "Settings",
        "Scenes",
        "Maximum on the mark",
        "The same, asked of `scenes`",
        "Energy on the mark",
        "The same, asked of `scenes`",
    ),
}
Findings = Sequence[located.Finding]
WORDS = {
    "random": "even noise, seeded by the scene",
    "edges": "Sobel on the grey levels",
    "centre": "1 at the centre, 0 at the corners",
}


def methods() -> dict[str, str]:
    """Return what is measured, in the order of the table: every registered method, then the baselines."""
    shown = {id: cls for id, cls in table("method").items() if not cls.hidden}
    made = {id: affordable(cls()) for id, cls in sorted(shown.items())}  # type: ignore[arg-type]
    return {id: method.spelling for id, method in made.items()} | {one: one for one in located.BASELINES}


def affordable(method: Method) -> Method:
    """Return a method with as many rounds as MOST_POINTS allow; as it is where it needs no more."""
    if method.cost <= MOST_POINTS or not isinstance(method, Refining):
        return method
    rounds = getattr(method, method.rounds) * MOST_POINTS // method.cost
    return replace(method, **{method.rounds: rounds})  # type: ignore[type-var]


def row(model: str, id: str, spelling: str, found: Findings, control: Findings) -> marked.Row:
    """Return a row of a table from what was found on every scene; `control` is of the model `scenes`."""
    settings = WORDS.get(id, f"`{spelling}`")
    if refused := next((one.refused for one in found if one.refused), ""):
        return (id, f"{settings}: {refused}", str(len(found)), *["-"] * (len(HEADS[model]) - 3))
    flat = sum(one.flat for one in found)
    first = (id, settings, f"{len(found)}{f', {flat} flat' if flat else ''}")
    if model == located.MARK:
        with_mark, without = (np.array([one.mark for one in some]) for some in (found, control))
        return (
            *first,
            *(how(some[:, i]) for i, how in enumerate((share, mean)) for some in (with_mark, without)),
        )
    object = np.array([one.object for one in found])
    seconds = float(np.median([one.seconds for one in found]))
    return (*first, share(object[:, 0]), mean(object[:, 1]), mean(object[:, 2]), f"{seconds:.2g}")


def share(hits: np.ndarray) -> str:
    """A proportion with Wilson's interval."""
    return percent(hits.mean(), *wilson(float(hits.sum()), len(hits)))


def mean(values: np.ndarray) -> str:
    """A mean with a bootstrapped interval."""
    return percent(values.mean(), *bootstrap(values))


def percent(value: float, low: float, high: float) -> str:
    """All three in percent, such as `93.4 (90.9 to 95.3)`."""
    return f"{100 * value:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def measured(
    pool: ProcessPoolExecutor, model: str, seeds: Sequence[int], asked: Mapping[str, str]
) -> Iterator[tuple[str, marked.Row]]:
    """Yield the row of every method asked for, as it becomes known."""
    parts = [seeds[first : first + PART] for first in range(0, len(seeds), PART)]
    for id, spelling in asked.items():
        started = time.perf_counter()
        models = (model, located.OBJECT) if model == located.MARK else (model,)
        jobs = [
            [pool.submit(located.located, one, model, spelling, part) for part in parts] for one in models
        ]
        found, *control = ([one for job in some for one in job.result()] for some in jobs)
        made = row(model, id, spelling, found, control[0] if control else [])
        print(f"{' | '.join(made)}  [{time.perf_counter() - started:.0f} s]", flush=True)
        yield id, made


def main(words: Sequence[str] | None = None) -> int:
    known = methods()
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--only", action="append", choices=known, help="this method alone; others keep their rows"
    )
    parser.add_argument("--count", type=int, help=f"scenes of a table; {COUNTS} by default")
    parser.add_argument("--model", choices=HEADS, action="append", help="the table of this model alone")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="where the tables are")
    options = parser.parse_args(words)
    asked = {id: known[id] for id in options.only or known}
    context = get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context, initializer=located.begin) as pool:
        for model in options.model or HEADS:
            count = options.count or COUNTS[model]
            seeds, looked_at = pool.submit(located.chosen, model, count).result()
            print(f"{model}: {len(seeds)} of the first {looked_at} held-out scenes have a known truth")
            for id, made in measured(pool, model, seeds, asked):
                text = options.document.read_text(encoding="utf-8")
                rows = marked.merged(marked.rows_of(text, model, SCRIPT), {id: made}, known)
                marked.update(options.document, marked.with_table(text, model, SCRIPT, HEADS[model], rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
