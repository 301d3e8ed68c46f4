"""Tables that scripts write into documents, each between two marks; the words around them stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Row = Sequence[str]


def marks(name: str, script: str) -> tuple[str, str]:
    """Return the lines that begin and end a table in a document, which name the script that makes it."""
    return f"<!-- table: {name}, made by {script} -->\n", f"<!-- end: {name} -->"


def table(heads: Row, rows: Iterable[Row]) -> str:
    """A Markdown table; `|` in a cell is escaped."""
    lines = [tuple(heads), ("---",) * len(heads), *map(tuple, rows)]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def rows_of(text: str, name: str, script: str) -> dict[str, Row]:
    """Return the rows of a table in a document by their first cell, without heads."""
    return {row[0]: row for row in rows_in(text, name, script)}


def rows_in(text: str, name: str, script: str) -> list[Row]:
    """Return the rows of a table in a document, without heads."""
    lines = _parts(text, name, script)[1].splitlines()[2:]
    return [[cell.strip().replace("\\|", "|") for cell in line[2:-2].split(" | ")] for line in lines]


def with_table(text: str, name: str, script: str, heads: Row, rows: Iterable[Row]) -> str:
    """Return a document with one table written anew; ValueError where it has no place for it."""
    before, _, after = _parts(text, name, script)
    begin, end = marks(name, script)
    return f"{before}{begin}{table(heads, rows)}{end}{after}"


def merged(known: Mapping[str, Row], made: Mapping[str, Row], order: Iterable[str]) -> list[Row]:
    """Return one row for each name in order: the one just made, or else the one that was there."""
    return [made.get(name, known.get(name, ())) for name in order if name in made or name in known]


def update(path: Path, text: str) -> None:
    """Write a document if it has changed, and say so."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        print(f"{path} is fresh.")
        return
    path.write_text(text, encoding="utf-8")
    print(f"Wrote {path}.")


def _parts(text: str, name: str, script: str) -> tuple[str, str, str]:
    begin, end = marks(name, script)
    before, found, rest = text.partition(begin)
    body, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"The document has no place for the table {name!r}: {begin.strip()} ... {end}")
    return before, body, after
