"""Explaining at a terminal."""

from __future__ import annotations

import io

import numpy as np
import pytest

from saliency_core.watched import watched
from tests.core.test_explanation import IMAGE, paper


class Terminal(io.StringIO):
    """A terminal that remembers, and at which somebody may press Ctrl-C after some progress."""

    def __init__(self, stop_at: int = 0) -> None:
        super().__init__()
        self.stop_at, self.flushed = stop_at, 0

    def isatty(self) -> bool:
        return True

    def flush(self) -> None:
        self.flushed += 1
        if self.flushed == self.stop_at:
            raise KeyboardInterrupt


def test_progress_is_told_and_wiped_at_a_terminal():
    line = Terminal()
    made = watched(paper(), IMAGE, "class_logit(2)", "smoothgrad(samples=6)", line=line)
    assert made.done == made.total == 6
    assert "\r6 of 6 points of the network" in line.getvalue()
    assert line.getvalue().endswith("\r\x1b[K")


def test_nothing_is_told_where_nobody_looks_on():
    line = io.StringIO()
    watched(paper(), IMAGE, "class_logit(2)", "gradient()", line=line)
    assert line.getvalue() == ""


def test_what_is_there_is_kept_when_somebody_stops_it():
    whole = watched(paper(), IMAGE, "class_logit(2)", "smoothgrad(samples=200)", line=io.StringIO())
    made = watched(paper(), IMAGE, "class_logit(2)", "smoothgrad(samples=200)", line=Terminal(stop_at=3))
    assert 0 < made.done < made.total == 200
    assert made.values.shape == whole.values.shape
    assert not np.array_equal(made.values, whole.values)


def test_stopped_before_anything_is_there_is_stopped():
    with pytest.raises(KeyboardInterrupt):
        watched(paper(), IMAGE, "class_logit(2)", "gradient()", line=Terminal(stop_at=1))
