"""Compare every method with the reference implementations: `python tools/oracles.py [--only METHOD]`.

Writes the tables of docs/oracles.md. SALIENCY_REAL may name a folder of networks that others trained; the
rows of tf-keras-vis are made where it is installed (pip install tf-keras-vis==0.8.7), and stay elsewhere.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from saliency_core.registry import table  # noqa: E402
from tools import marked, oracle_networks, oracle_pair, oracle_papers, oracle_rules  # noqa: E402
from tools.oracle import GOOD, ORACLES, Oracle  # noqa: E402
from tools.oracle_faults import FAULTS  # noqa: E402

if importlib.util.find_spec("tf_keras_vis"):
    from tools import oracle_tkv  # noqa: F401

HOMES = (oracle_pair, oracle_papers, oracle_rules)
"""Modules that enter oracles in the list."""
DOCUMENT = ROOT / "docs" / "oracles.md"
SCRIPT = "tools/oracles.py"
DIFFERENCES = ("Method", "Reference", "Model", "Largest difference", "At kinks", "With the same gradients")
CONVENTIONS = ("Method", "Reference", "What was aligned, and what differs")
FAULTY = ("Reference", "What it does", "Measured", "What ours was compared with")
ALONE = ("Method", "What holds it instead")


def registered() -> list[str]:
    """Return the methods in menus, by name."""
    return sorted(id for id, cls in table("method").items() if not cls.hidden)


def differences(oracles: Iterable[Oracle]) -> Iterable[marked.Row]:
    """Yield a row for each oracle on each model."""
    oracles = list(oracles)
    for case in oracle_networks.cases():
        for one in oracles:
            if one.suits(case):
                started = time.perf_counter()
                made = (one.method, one.reference, case.name, *_difference(one, case))
                print(f"{' | '.join(made)}  [{time.perf_counter() - started:.0f} s]", flush=True)
                yield made


def _difference(one: Oracle, case: oracle_networks.Case) -> tuple[str, str, str]:
    """Return the difference, how many points of the way lie at kinks, and the difference without these."""
    case.kinks.clear()
    found = one.error(case)
    kinks = f"{sum(case.kinks)} of {len(case.kinks)} points" if any(case.kinks) else ""
    shared = ""
    if found > GOOD and kinks:
        shared = f"{one.error(replace(case, shared=True)):.1e}"
    return f"{found:.1e}", kinks, shared


def alone() -> Iterable[marked.Row]:
    """Yield a row for each method without an oracle: the test of its own laws."""
    for id in registered():
        if all(one.method != id for one in ORACLES):
            module = table("method")[id].__module__.rsplit(".", 1)[-1]
            path = f"tests/core/methods/test_{module}.py"
            held = f"its laws in `{path}`" if (ROOT / path).exists() else "its own laws"
            yield id, f"{held}, and the suite for every method"


def faults() -> Iterable[marked.Row]:
    """Yield a row for each fault of a reference that the models at hand show."""
    cases = {case.name: case for case in oracle_networks.cases()}
    for one in FAULTS:
        if (measured := one.measured(cases)) is not None:
            print(f"{one.reference} | {measured}", flush=True)
            yield one.reference, one.what, measured, one.instead


def with_faults(text: str, made: Iterable[marked.Row]) -> str:
    """Return the document with rows just made, and those that could not be made as they were."""
    known = {row[0]: row for row in (*marked.rows_in(text, "faults", SCRIPT), *made)}
    rows = [known[one.reference] for one in FAULTS if one.reference in known]
    return marked.with_table(text, "faults", SCRIPT, FAULTY, rows)


def written(text: str, made: Sequence[marked.Row]) -> str:
    """Return the document with rows just made, rows of other methods as they were, and the other tables."""
    known = {tuple(row[:3]): row for row in (*marked.rows_in(text, "differences", SCRIPT), *made)}
    rows = [row for _, row in sorted(known.items()) if row[0] in registered()]
    text = marked.with_table(text, "differences", SCRIPT, DIFFERENCES, rows)
    aligned = {tuple(row[:2]): row for row in marked.rows_in(text, "conventions", SCRIPT)}
    aligned |= {(one.method, one.reference): (one.method, one.reference, one.convention) for one in ORACLES}
    rows = [row for _, row in sorted(aligned.items()) if row[0] in registered()]
    text = marked.with_table(text, "conventions", SCRIPT, CONVENTIONS, rows)
    return marked.with_table(text, "alone", SCRIPT, ALONE, alone())


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--only", action="append", choices=[*registered(), "faults"], help="this method alone, or the faults"
    )
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="where the tables are")
    options = parser.parse_args(words)
    asked = options.only or registered()
    if not options.only or "faults" in options.only:
        shown = list(faults())
        text = options.document.read_text(encoding="utf-8")
        marked.update(options.document, with_faults(text, shown))
    made = list(differences(one for one in ORACLES if one.method in asked))
    text = options.document.read_text(encoding="utf-8")
    marked.update(options.document, written(text, made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
