"""Write the tables of README.md from what is registered: `python tools/tables.py [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from saliency_core.models.opening import menu  # noqa: E402
from saliency_core.registry import table  # noqa: E402

README = ROOT / "README.md"


def registered(family: str) -> str:
    """The table of a family: spelling with its settings, and the sentence that says what it is."""
    shown = [cls for cls in table(family).values() if not cls.hidden]
    return _markdown(("Spelling", "What it is"), ((f"`{cls.pattern()}`", cls.summary()) for cls in shown))


def models() -> str:
    """The table of the models that can be opened by name."""
    rows = ((f"`{entry.name}`", entry.title, entry.facts) for entry in menu())
    return _markdown(("Name", "Model", "Input, accuracy, size"), rows)


def written(text: str) -> str:
    """Return the README with every table written anew; ValueError where a place for one is missing."""
    made = {
        "models": models(),
        "methods": registered("method"),
        "targets": registered("target"),
        "baselines": registered("baseline"),
        "preprocessings": registered("preprocessing"),
    }
    for name, body in made.items():
        opening, closing = f"<!-- table: {name} -->\n", f"<!-- end: {name} -->"
        before, found, rest = text.partition(opening)
        _, ended, after = rest.partition(closing)
        if not (found and ended):
            raise ValueError(f"README.md has no place for the table {name!r}.")
        text = f"{before}{opening}{body}{closing}{after}"
    return text


def _markdown(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; `|` in a cell is escaped."""
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit code 1 when a table is stale"
    )
    check = parser.parse_args().check
    before = README.read_text(encoding="utf-8")
    after = written(before)
    if before == after:
        print("The tables of README.md are fresh.")
        return 0
    if check:
        print("The tables of README.md are stale: run python tools/tables.py.", file=sys.stderr)
        return 1
    README.write_text(after, encoding="utf-8")
    print("Wrote the tables of README.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
