"""TensorFlow, imported once and quietly."""

from __future__ import annotations

import os
import sys
import tempfile
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


def start_quietly() -> None:
    """Import TensorFlow with its talk on stderr held back; it is told after all if the import fails.

    For programs with one thread: stderr belongs to the whole process.
    """
    sys.stderr.flush()
    before = os.dup(2)
    with tempfile.TemporaryFile() as talk:
        os.dup2(talk.fileno(), 2)
        try:
            tensorflow().constant(0.0)  # the first operation talks as well
        except BaseException:
            talk.seek(0)
            os.write(before, talk.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)
