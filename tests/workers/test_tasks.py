"""The real tasks, in this process: none can be cut off in the middle of a trace."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from saliency_core.workers.report import Report
from saliency_core.workers.tasks import TASKS

IMAGE = {"image": np.ones((4, 4, 1), np.uint8)}
PARAMS = {"model": "conv4x4", "image_name": "ones", "image_digest": "0" * 64, "method": "gradient()"}
SEED = "output_seed(weights=[[1, 1, 0, 1.0]], layer='output')"


class Patient(Report):
    """Notes for how long the worker asked to be left alone."""

    def __init__(self) -> None:
        super().__init__(TASKS)
        self.asked: list[float] = []

    @contextmanager
    def uninterrupted(self, seconds=60.0):
        self.asked.append(seconds)
        yield


FORM = {"kind": "read", "tensors": ["conv/convolution:0"], "rows": 1, "at": "", "rule": "", "double": False}


@pytest.mark.engine
def test_every_task_asks_once_for_patience():
    point = np.ones((4, 4, 1), np.float32)
    calls = {
        "open": ({"model": "conv4x4"}, {}),
        "lay_open": ({"model": "conv4x4"}, {}),
        "run": ({"model": "conv4x4", "form": FORM}, {"0": point[None]}),
        "explain": ({**PARAMS, "target": SEED}, IMAGE),
        "evidence": ({**PARAMS, "target": SEED}, {"values": point, "point": point}),
        "doctor": (PARAMS, IMAGE),
        "kernel": ({**PARAMS, "target": SEED}, IMAGE),
        "way_back": (PARAMS, {**IMAGE, "delta": point}),
        "activation": ({**PARAMS, "layer": "output"}, IMAGE),
        "linearity": ({**PARAMS, "parts": [[2.0, SEED], [-1.0, SEED]]}, IMAGE),
        "chunk": ({**PARAMS, "target": SEED, "what": "gradient"}, {"points": point[None]}),
    }
    assert set(calls) == set(TASKS)
    for name, (params, arrays) in calls.items():
        report = Patient()
        TASKS[name](params, arrays, report)
        assert len(report.asked) == 1, name
        assert report.asked[0] >= 60
