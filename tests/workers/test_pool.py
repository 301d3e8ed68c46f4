"""Workers answer, are isolated from the environment, share work, and are replaced when they misbehave."""

import logging
import os
import signal
import struct
import sys
import threading
import time

import numpy as np
import pytest

from saliency_core.errors import ImageError, NotFiniteError, WorkerError
from saliency_core.workers.frames import FrameError, pack
from saliency_core.workers.jobs import JobTable, Request
from saliency_core.workers.process import environment
from saliency_core.workers.run import CrashError
from tests.workers.conftest import toy_pool, until


def ask(table, task, params=None, arrays=None, seconds=10, session="s"):
    job = table.submit((session, task), Request(task, params or {}, arrays or {}))
    assert job.wait(seconds), f"{task} has not ended"
    return job


def pids(pool):
    return [worker.pid for worker in pool.status().workers]


def works_again(table):
    """A good job runs within five seconds of a fault."""
    began = time.monotonic()
    job = ask(table, "echo", {"at": began}, seconds=5)
    assert job.state == "done", job.error
    return True


def test_a_worker_sees_the_package_and_little_else(table, monkeypatch):
    message = ask(table, "who").result.message
    assert [path for path in message["path"] if path not in sys.path] == []
    assert message["environment"]["OMP_NUM_THREADS"] == "1"
    assert os.getcwd() not in message["path"][1:]
    allowed = environment(os.environ)
    assert set(message["environment"]) <= set(allowed) | {"LC_CTYPE"}


def test_secrets_in_the_environment_stay_in_the_parent():
    given = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "PYTHONPATH": "/evil", "LC_ALL": "C", "TF_X": "1"}
    kept = environment({**given, "OMP_NUM_THREADS": "8", "SALIENCY_CACHE": "/c"})
    assert {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "TF_X"}.isdisjoint(kept)
    assert (kept["PATH"], kept["LC_ALL"], kept["SALIENCY_CACHE"]) == ("/bin", "C", "/c")
    assert kept["OMP_NUM_THREADS"] == kept["TF_NUM_INTRAOP_THREADS"] == kept["TF_NUM_INTEROP_THREADS"] == "1"


def test_stray_prints_go_to_the_log_and_never_into_a_frame(table, caplog):
    with caplog.at_level(logging.WARNING, "saliency"):
        job = ask(table, "chatter")
        assert job.result.message == {"stdin": "", "many": 0}
        wanted = ["a stray print", "a line  [31m of log", "from a child process"]
        assert until(lambda: all(any(text in line for line in caplog.messages) for text in wanted), 5)
    assert not any("\x1b" in line for line in caplog.messages)


def test_a_chatty_worker_is_cut_short_in_the_log(table, caplog):
    with caplog.at_level(logging.WARNING, "saliency"):
        ask(table, "flood", {"lines": 1000})
        assert until(lambda: any("too fast" in line for line in caplog.messages), 5)
    assert len([line for line in caplog.messages if ": line " in line]) <= 200


def test_errors_of_the_user_keep_their_class_and_words(table):
    job = ask(table, "wrong_image")
    assert type(job.error) is ImageError
    assert (job.error.problem, job.error.hint) == ("The picture is upside down.", "Turn it.")
    assert (job.state, job.retryable, job.error_id) == ("failed", False, "")
    assert isinstance(ask(table, "not_finite").error, NotFiniteError)
    assert type(ask(table, "odd_type").error) is WorkerError
    assert "no task" in ask(table, "unheard_of").error.problem


def test_a_surprise_gets_an_id_that_the_log_explains(table, caplog):
    before = pids(table.pool)
    with caplog.at_level(logging.WARNING, "saliency"):
        job = ask(table, "surprise")
        assert isinstance(job.error, CrashError)
        assert job.error_id in job.error.problem
        assert "nobody saw" not in str(job.error)
        assert until(lambda: any("ZeroDivisionError: nobody saw" in line for line in caplog.messages), 5)
    assert any(job.error_id in line for line in caplog.messages)
    assert pids(table.pool) == before


@pytest.mark.parametrize("how", ["exit", "abort", "kill", "sys_exit"])
def test_a_dead_worker_costs_its_job_only(table, how):
    other = table.submit(("other", "map"), Request("steps", {"count": 20, "how": how}))
    assert until(lambda: other.progress is not None, 10)
    job = ask(table, "die", {"how": how})
    assert job.state == "failed"
    assert job.retryable
    assert works_again(table)
    assert other.wait(10)
    assert other.state == "done"
    retried = table.retry(job)
    assert retried.wait(10)
    assert retried.state == "failed"


GOOD = b"".join(pack({"type": "done", "run": 1, "message": {}}, {"x": np.zeros(100)}))


@pytest.mark.parametrize(
    ("sent", "leave"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", False),
        (struct.pack(">I", 2**32 - 1), False),
        (GOOD[:20], True),
        (GOOD[:-1], True),
        (b"".join(pack({"type": "progress"}, {"x": np.array([np.nan])})), False),
    ],
    ids=["garbage", "4 GiB", "half a header", "half an array", "NaN"],
)
def test_a_worker_that_writes_nonsense_is_replaced(table, sent, leave):
    job = ask(table, "garble", {"leave": leave}, {"bytes": np.frombuffer(sent, np.uint8)})
    assert isinstance(job.error, CrashError)
    assert "unreadable" in job.error.problem
    assert works_again(table)


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "ready"},
        {"type": "unknown"},
        {"type": ["done"]},
        {"type": "done", "message": 1},
        {"type": "progress", "done": "1", "total": 2, "message": ""},
        {"type": "progress", "done": True, "total": 2, "message": ""},
        {"type": "patience", "seconds": None},
        {"type": "offer"},
        {"type": "lend", "index": [], "task": "echo", "params": {}},
        {"type": "error", "name": "ImageError", "problem": {}, "hint": ""},
    ],
)
def test_a_worker_that_sends_impossible_messages_is_replaced(table, frame):
    job = ask(table, "frame", {"frame": frame})
    assert isinstance(job.error, CrashError)
    assert works_again(table)


def test_a_worker_s_error_is_cut_to_a_length_that_can_be_shown(table):
    frame = {"type": "error", "name": "ImageError", "problem": "p" * 5000, "hint": "h" * 5000}
    job = ask(table, "frame", {"frame": frame, "seconds": 0})
    assert (len(job.error.problem), len(job.error.hint)) == (1000, 1000)


def test_an_error_class_from_a_worker_is_only_looked_up_among_ours(table):
    for name in ("SystemExit", "annotations", "__doc__", "Exception"):
        frame = {"type": "error", "name": name, "problem": "a", "hint": "b"}
        job = ask(table, "frame", {"frame": frame, "seconds": 0})
        assert str(job.error) == "a b"


SHARED = np.random.default_rng(0).standard_normal((12, 50))


@pytest.fixture(scope="module")
def alone():
    """The answer of a single worker."""
    with toy_pool(1) as pool:
        return ask(JobTable(pool), "shared", {"pause": 0.02}, {"x": SHARED}).result


@pytest.mark.parametrize("how", ["", "fail", "kill"])
def test_a_shared_job_is_the_same_with_one_worker_with_two_and_with_a_lender_that_fails(table, alone, how):
    before = sum(slot.jobs for slot in table.pool._shared)
    job = ask(table, "shared", {"pause": 0.02, "lender": how}, {"x": SHARED})
    assert alone.message["workers"] == 1
    assert job.result.message["workers"] == (1 if how else 2)
    assert job.result.message["pairs"] == alone.message["pairs"] == [[1, 2]] * 12
    assert np.array_equal(job.result.arrays["squares"], alone.arrays["squares"])
    assert np.array_equal(job.result.arrays["squares"], SHARED**2)
    if how == "fail":  # one attempt to lend, then no more
        assert sum(slot.jobs for slot in table.pool._shared) == before + 2


def test_a_lender_that_hangs_holds_nobody_up(table):
    x = np.arange(6.0).reshape(6, 1)
    job = ask(table, "shared", {"pause": 0.01, "lender": "hang"}, {"x": x}, seconds=2)
    assert np.array_equal(job.result.arrays["squares"], x**2)


def test_lending_stops_for_waiting_jobs(table):
    x = np.arange(40.0).reshape(40, 1)
    heavy = table.submit(("A", "map"), Request("shared", {"pause": 0.02}, {"x": x}))
    assert until(lambda: len(table.pool.runs()) == 2, 5)
    quick = ask(table, "echo", session="B")
    assert quick.state == "done"
    assert not heavy.ended
    assert heavy.wait(10)
    assert heavy.result.message["workers"] == 2


def test_a_job_goes_to_the_idle_worker_that_has_its_model(table):
    first = {model: ask(table, "who", {"model": model, "n": 0}).result.message["pid"] for model in "ab"}
    assert len(set(first.values())) == 2
    for n, model in enumerate("aabbab", 1):
        job = ask(table, "who", {"model": model, "n": n})
        assert job.result.message["pid"] == first[model]


def test_a_worker_that_ignores_a_cancel_is_ended():
    with toy_pool(1, cancel_grace_s=0.3) as pool:
        table = JobTable(pool)
        job = table.submit(("s", "map"), Request("hang"))
        assert until(lambda: any(run.acknowledged for run in pool.runs()), 5)
        before = pids(pool)
        table.cancel(job)
        assert works_again(table)
        assert pids(pool) != before
        assert pool.status().restarts == 1


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs signals")
def test_a_job_given_to_a_frozen_worker_runs_on_another():
    with toy_pool(1, reply_limit_s=0.3) as pool:
        table = JobTable(pool)
        os.kill(pids(pool)[0], signal.SIGSTOP)
        assert works_again(table)
        assert table.counts.computed == 2
        assert pool.status().restarts == 1


def test_a_step_worth_finishing_is_not_ended_by_a_cancel():
    with toy_pool(1, cancel_grace_s=0.1) as pool:
        table = JobTable(pool)
        job = table.submit(("s", "map"), Request("opening", {"seconds": 0.5}))
        assert until(lambda: any(run.patient for run in pool.runs()), 5)
        before = pids(pool)
        table.cancel(job)
        assert works_again(table)
        assert pids(pool) == before


@pytest.mark.parametrize("how", ["hang", "stop"])
def test_a_computation_above_the_wall_limit_is_ended(how):
    with toy_pool(1, wall_limit_s=0.3) as pool:
        table = JobTable(pool)
        job = ask(table, "die", {"how": how}) if how == "stop" else ask(table, "hang")
        assert "longer than 0.3 s" in job.error.problem
        assert works_again(table)
        assert table.counts.computed == 2  # it was not tried again unasked


def test_a_worker_is_renewed_after_its_share_of_jobs_and_when_it_has_grown():
    with toy_pool(1, recycle_jobs=3) as pool:
        table = JobTable(pool)
        seen = [ask(table, "who", {"n": n}).result.message["pid"] for n in range(6)]
        assert len(set(seen[:3])) == len(set(seen[3:])) == 1
        assert seen[0] != seen[3]
    with toy_pool(1, recycle_mib=150) as pool:
        table = JobTable(pool)
        grown = ask(table, "grow", {"mib": 200}).result.message["pid"]
        assert ask(table, "who").result.message["pid"] != grown


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_memory_above_the_limit_fails_one_job_in_words():
    with toy_pool(1, memory_limit_mib=300) as pool:
        table = JobTable(pool)
        job = ask(table, "hungry", {"mib": 1000})
        assert job.error.problem == "The computation ran out of memory."
        assert works_again(table)
        assert pool.status().restarts == 0


def test_tensorflow_out_of_memory_is_said_in_words(table):
    for kind, words in (
        ("ResourceExhaustedError", "OOM when allocating"),
        ("InternalError", "std::bad_alloc"),
    ):
        job = ask(table, "exhausted", {"kind": kind, "words": words})
        assert job.error.problem == "The computation ran out of memory."
    assert "unexpectedly" in ask(table, "exhausted", {"kind": "InternalError", "words": "odd"}).error.problem


def test_starts_are_staggered_and_jobs_wait_for_the_first():
    with toy_pool(2, ready=0, tasks="tests.workers.toys_slow_start", stagger_s=60) as pool:
        table = JobTable(pool)
        job = table.submit(("s", "map"), Request("echo"))
        assert job.state == "queued"
        assert not pool.status().ready
        assert job.wait(10)
        status = pool.status()
        assert status.seconds_to_ready >= 0.3
        assert pool.wait_ready(10, 2)  # the second starts when the first is ready


def test_when_workers_cannot_start_jobs_end_with_the_reason(caplog):
    with toy_pool(1, ready=0, tasks="tests.workers.toys_broken") as pool:
        job = ask(JobTable(pool), "echo", seconds=15)
        assert job.error.problem == "The worker processes cannot start."
        assert pool.status().trouble
    assert any("broken on purpose" in line for line in caplog.messages)


def test_a_pool_outlives_the_thread_that_made_it():
    made = []
    thread = threading.Thread(target=lambda: made.append(JobTable(toy_pool_open())))
    thread.start()
    thread.join()
    table = made[0]
    assert table.pool.wait_ready(10, 1)
    before = pids(table.pool)
    time.sleep(0.1)
    assert works_again(table)
    assert pids(table.pool) == before
    table.close()


def toy_pool_open():
    from saliency_core.workers.pool import Pool

    return Pool(1, "tests.workers.toys")


def test_a_request_that_is_too_large_is_refused_before_it_waits(table):
    with pytest.raises(FrameError, match="above"):
        Request("echo", {}, {"x": np.broadcast_to(np.zeros(1, np.uint8), (2**31,))})
