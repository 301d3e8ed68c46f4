"""Nothing is lost, nothing is left behind, and the parent loads no TensorFlow, whatever dies."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from saliency_core.workers.jobs import BusyError, JobTable, Request
from tests.workers.conftest import toy_pool, until

ROOT = Path(__file__).resolve().parents[2]
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def alive(pid):
    """Whether a process runs; one that has ended and only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):  # it ended before, or while it was read
        return False


def parent_process(code):
    """Start a program of its own that owns a pool; returns it with the pids that it prints."""
    text = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + textwrap.dedent(code)
    program = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    return program, [int(pid) for pid in program.stdout.readline().split()]


START = """
    import time
    from saliency_core.workers.jobs import JobTable, Request
    from saliency_core.workers.pool import Pool
    pool = Pool(2, "tests.workers.toys")
    table = JobTable(pool)
    assert pool.wait_ready(20, 2)
    table.submit(("s", "map"), Request("hang"))
    print(*(worker.pid for worker in pool.status().workers), flush=True)
"""


@linux
@pytest.mark.parametrize("frozen", [False, True], ids=["running", "frozen"])
def test_no_worker_outlives_a_killed_parent(frozen):
    program, pids = parent_process(START + "    time.sleep(60)")
    assert len(pids) == 2
    if frozen:  # it cannot notice that its pipe was closed: the kernel must end it
        os.kill(pids[0], signal.SIGSTOP)
    program.kill()
    program.wait()
    assert until(lambda: not any(alive(pid) for pid in pids), 5)


@linux
@pytest.mark.parametrize("end", ["table.close()", "sys.exit(0)", "raise RuntimeError('the end')"])
def test_no_worker_outlives_a_parent_that_ends(end):
    program, pids = parent_process(START + f"    {end}")
    program.wait(20)
    assert len(pids) == 2
    assert until(lambda: not any(alive(pid) for pid in pids), 5)


def test_the_parent_loads_neither_tensorflow_nor_streamlit():
    code = """
        from saliency_core.workers import jobs, pool
        table = jobs.JobTable(pool.Pool(1, "tests.workers.toys"))
        job = table.submit(("s", "map"), jobs.Request("echo"))
        assert job.wait(20) and job.state == "done"
        table.close()
        loaded = {"tensorflow", "keras", "streamlit", "multiprocessing", "pickle"} & set(sys.modules)
        print(1 if loaded <= {"pickle"} else 0, flush=True)  # NumPy imports pickle by itself
    """
    program, (clean,) = parent_process(code)
    program.wait(20)
    assert clean == 1


@linux
def test_close_leaves_no_process_thread_or_open_file():
    import threading

    files, threads = len(os.listdir("/proc/self/fd")), set(threading.enumerate())
    with toy_pool(2) as pool:
        pids = [worker.pid for worker in pool.status().workers]
        JobTable(pool).submit(("s", "map"), Request("hang"))
    assert not any(alive(pid) for pid in pids)
    assert until(lambda: not set(threading.enumerate()) - threads, 5)
    assert until(lambda: len(os.listdir("/proc/self/fd")) <= files, 5)


@linux
def test_a_storm_with_kills_loses_nothing():
    """Six sessions ask, cancel and change their minds for three seconds while workers are killed."""
    chance = random.Random(0)
    with toy_pool(2, cancel_grace_s=0.3) as pool:
        table = JobTable(pool, queue_limit=8)
        jobs, next_kill, end = [], time.monotonic() + 0.3, time.monotonic() + 3
        while time.monotonic() < end:
            key = (f"session {chance.randrange(6)}", f"panel {chance.randrange(2)}")
            number = chance.randrange(10**6)
            task = chance.choices(["echo", "steps", "shared", "surprise", "hang"], [6, 4, 4, 1, 1])[0]
            params = {"n": number, "count": 4, "pause": 0.005}
            request = Request(task, params, {"x": np.full((4, 3), float(number))}, chance.random() < 0.2)
            with contextlib.suppress(BusyError):  # refused: not submitted
                jobs.append((number, table.submit(key, request)))
            if chance.random() < 0.1:
                table.cancel(chance.choice(jobs)[1])
            if chance.random() < 0.02:
                table.forget(key[0])
            if time.monotonic() > next_kill:
                next_kill += 0.4
                running = [w.pid for w in pool.status().workers if w.state in ("ready", "busy")]
                if running:
                    os.kill(chance.choice(running), chance.choice([signal.SIGKILL, signal.SIGSEGV]))
            time.sleep(0.01)
        for _, job in jobs:
            if job.request.task == "hang":
                table.cancel(job)
        assert all(job.wait(10) for _, job in jobs)
        check_results(jobs)
        assert table.counts.submitted == table.counts.ended == len({id(job) for _, job in jobs})
        assert table.counts.done >= 10
        assert pool.status().restarts >= 3
        good = table.submit(("after", "map"), Request("echo", {"after": 1}))
        assert good.wait(5)
        assert good.state == "done"


@linux
def test_a_killed_worker_leaves_what_its_map_had_come_to():
    with toy_pool(1) as pool:
        table = JobTable(pool)
        job = table.submit(("s", "map"), Request("steps", {"count": 1000, "pause": 0.01}))
        assert until(lambda: job.partial is not None and job.partial.arrays["sum"][0] >= 2, 10)
        os.kill(pool.status().workers[0].pid, signal.SIGKILL)
        assert job.wait(10)
        assert (job.state, job.retryable) == ("failed", True)
        assert job.partial.arrays["sum"][0] >= 2


def check_results(jobs):
    """Every result belongs to its request, bit for bit."""
    for number, job in jobs:
        assert job.state in ("done", "failed", "cancelled")
        assert (job.result is not None) == (job.state == "done")
        assert (job.error is not None) == (job.state == "failed")
        if job.state == "done":
            assert job.result.fingerprint == job.request.fingerprint
            if job.request.task == "echo":
                assert job.result.message["n"] == number
            if job.request.task == "shared":
                assert np.array_equal(job.result.arrays["squares"], np.full((4, 3), float(number)) ** 2)
