"""The real tasks, in this process: none can be cut off in the middle of a trace."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest

from saliency_core.errors import SettingError
from saliency_core.grammar import parse
from saliency_core.workers.report import Report
from saliency_core.workers.tasks import PICTURE, TASKS

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


@pytest.mark.engine
def test_another_picture_travels_as_an_array_named_by_its_digest():
    digest = "ab" * 32
    method = f"integrated_gradients(steps=2, baseline=picture('{digest}'))"
    params = {**PARAMS, "target": SEED, "method": method}
    other = np.full((4, 4, 1), 7, np.uint8)
    with pytest.raises(SettingError, match="no picture"):
        TASKS["explain"](params, IMAGE, Report(TASKS))
    message, found = TASKS["explain"](params, {**IMAGE, f"{PICTURE}{digest}": other}, Report(TASKS))
    assert message["recipe"]["method"] == parse("method", method).spelling
    # the kernel is linear: each pixel adds its slope times (1 - 7)
    _, plain = TASKS["explain"]({**params, "method": "gradient()"}, IMAGE, Report(TASKS))
    assert np.allclose(found["values"], -6 * plain["values"], rtol=1e-6)
