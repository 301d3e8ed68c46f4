"""Pools of toy workers for the tests of this folder."""

import contextlib
import signal
import threading
import time

import pytest

from saliency_core.workers.jobs import JobTable
from saliency_core.workers.pool import Pool

TOYS, HOSTILE = "tests.workers.toys", "tests.workers.toys_hostile"


@contextlib.contextmanager
def toy_pool(count=2, ready=None, **settings):
    pool = Pool(count, settings.pop("tasks", TOYS), **settings)
    try:
        assert pool.wait_ready(20, count if ready is None else ready)
        yield pool
    finally:
        pool.close()


@pytest.fixture(scope="module")
def pool():
    with toy_pool(cancel_grace_s=0.5) as made:
        yield made


@pytest.fixture
def table(pool):
    made = JobTable(pool)
    yield made
    for session in {key[0] for key in made._latest}:
        made.forget(session)
    assert until(lambda: not pool.runs(), 5)
    assert pool.wait_ready(10, 2)
    assert made.counts.ended == made.counts.submitted


@contextlib.contextmanager
def interrupted_after(seconds):
    """Press Ctrl-C a moment from now; a program that runs in the background may have it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(seconds, signal.raise_signal, (signal.SIGINT,)).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def until(true, seconds):
    """Wait until something is true; whether it came true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
