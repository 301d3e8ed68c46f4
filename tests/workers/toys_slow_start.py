"""Tasks behind a warm-up that takes a while, like importing a large library."""

import time

from tests.workers.toys import TASKS

__all__ = ["TASKS", "prepare", "warm_up"]


def warm_up():
    time.sleep(0.3)
    return {"warmed": True}


prepare = warm_up
