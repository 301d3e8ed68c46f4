"""TensorFlow, imported once and quietly."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


@cache
def tensorflow() -> Any:
    """Import TensorFlow on first use, without its start-up messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    return tf
