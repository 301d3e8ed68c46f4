"""Explaining at a terminal: how far it is, and what is there when somebody stops it."""

from __future__ import annotations

import sys
from typing import Any, TextIO

from saliency_core.attribution import Attribution
from saliency_core.explanation import explain


def watched(*question: Any, line: TextIO | None = None, **settings: Any) -> Attribution:
    """Explain with a line of progress where a person looks on; Ctrl-C keeps what is there.

    Takes what `explain` takes. `line` is where progress is told, standard error by default; nothing is told
    where that is no terminal. Raises KeyboardInterrupt when there is nothing to keep.
    """
    told = sys.stderr if line is None else line
    shown = told.isatty()
    last: list[Attribution] = []

    def on_progress(done: int, total: int) -> None:
        if shown:
            told.write(f"\r{done} of {total} points of the network")
            told.flush()

    def on_sketch(made: Attribution) -> None:
        last[:] = [made]

    try:
        return explain(*question, on_progress=on_progress, on_sketch=on_sketch, **settings)
    except KeyboardInterrupt:
        if not last:
            raise
        return last[0]
    finally:
        if shown:
            told.write("\r\x1b[K")  # the line is wiped, so that what follows stands alone
            told.flush()
