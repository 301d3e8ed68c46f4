"""Large weights are held once: what opening and explaining add is a small multiple of their size."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.engine
CODE = """
import resource
from saliency_core.engine.runtime import tensorflow
tensorflow()
import keras, numpy as np
from saliency_core import explain, open_model
layers = keras.layers
model = keras.Sequential([layers.Input((32, 32, 1)), layers.Flatten(), layers.Dense(2048, activation="relu"),
                          layers.Dense(16384, activation="relu"), layers.Dense(10)])
small = open_model(keras.Sequential([layers.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)]))
explain(small, np.zeros((8, 8, 1), np.uint8)).evidence
megabytes = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
weights = sum(w.size * 4 for w in model.get_weights()) / 2**20
before = megabytes()
opened = open_model(model, preprocessing="unit")
image = np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8)
for target in ("top_class()", "class_logit(1)", "class_difference(2, 3)"):
    made = explain(opened, image, target)
    assert made.evidence.precision == "float64"
print(int(weights), megabytes() - before)
"""


def test_dense_weights_are_held_once():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    weights, added = map(int, done.stdout.split())
    assert weights > 130
    assert added < 3.5 * weights, (
        weights,
        added,
    )  # one copy in double precision while it is checked, and air
