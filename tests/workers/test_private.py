"""One confined worker for each uploaded model: its faults are its own, there are few, and they end."""

import contextlib
import os
import random
import signal
import struct
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from saliency_core.errors import ModelError, WorkerError
from saliency_core.workers import private
from saliency_core.workers.jobs import JobTable, Request
from saliency_core.workers.private import PrivateLimits, Store, Upload, folder_mib, remove_folder
from saliency_core.workers.run import CrashError
from tests.workers.conftest import HOSTILE, toy_pool, until
from tests.workers.fake_pool import FakePool
from tests.workers.test_faults import alive

linux = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")


@pytest.fixture(scope="module")
def table():
    with toy_pool(
        1, tasks=HOSTILE, cancel_grace_s=0.3, private=PrivateLimits(memory_mib=400, scratch_mib=4)
    ) as pool:
        yield JobTable(pool)


def upload(table, content=b"a model"):
    return table.pool.uploads.keep(content, ".keras")


def submit(table, task, given, params=None, arrays=None, session="s", background=False):
    return table.submit((session, task), Request(task, params or {}, arrays or {}, background, given))


def ask(table, task, given, params=None, arrays=None, seconds=15, session="s"):
    job = submit(table, task, given, {"at": time.monotonic(), **(params or {})}, arrays, session)
    assert job.wait(seconds), f"{task} has not ended"
    return job


def pid(table, given):
    return ask(table, "who", given).result.message["pid"]


def shared_pids(pool):
    return [worker.pid for worker in pool.status().workers]


def scratches(pool):
    return [name for name in os.listdir(pool.uploads.folder) if name.startswith("scratch")]


def test_each_upload_has_a_process_of_its_own_and_keeps_it(table):
    one, two = upload(table), upload(table)
    pids = [pid(table, each) for each in (one, two, one, two, None)]
    assert pids[:2] == pids[2:4]
    assert len(set(pids)) == 3
    assert pids[4] in shared_pids(table.pool)
    assert {worker.pid for worker in table.pool.status().private} >= set(pids[:2])
    for each in (one, two):
        table.forget_upload(each.id)


def test_a_task_finds_the_model_and_a_folder_to_write_in(table):
    given = upload(table)
    message = ask(table, "scratch", given).result.message
    assert message["seen"] == ["mine", "0o700", "a model"]
    assert Path(message["folder"]).is_relative_to(table.pool.uploads.folder)
    if sys.platform == "linux":
        assert {"landlock", "seccomp", "no_new_privs"} <= set(message["held"])
    table.forget_upload(given.id)
    assert not Path(given.path).exists()
    assert until(lambda: not Path(message["folder"]).exists(), 5)


def test_equal_requests_on_two_uploads_are_two_requests(table):
    one, two = Upload("a", "/a"), Upload("b", "/b")
    prints = {Request("echo", {"n": 1}, upload=each).fingerprint for each in (None, one, two)}
    assert len(prints) == 3
    assert (
        Request("echo", upload=one).fingerprint
        == Request("echo", upload=Upload("a", "/elsewhere")).fingerprint
    )


def test_nothing_of_an_upload_is_shared_with_other_workers(table):
    given = upload(table)
    before = sum(slot.jobs for slot in table.pool._shared)
    assert ask(table, "pieces", given).result.message == {"pids": [0, 1, 2, 3]}
    for fake in (
        {"type": "offer", "pieces": 3},
        {"type": "lend", "index": 0, "task": "echo", "params": {"model": "digits"}},
    ):
        job = ask(table, "frame", given, {"frame": fake, "seconds": 5})
        assert isinstance(job.error, CrashError)
        assert "offered work" in job.error.problem
    assert sum(slot.jobs for slot in table.pool._shared) == before
    table.forget_upload(given.id)


WHOLE = {"type": "done", "run": 1, "message": {}}


@linux
@pytest.mark.parametrize(
    ("task", "params", "sent", "words"),
    [
        ("die", {"how": "exit"}, b"", "exit code 0"),
        ("die", {"how": "abort"}, b"", "SIGABRT; perhaps the 400 MiB"),
        ("die", {"how": "kill"}, b"", "SIGKILL"),
        ("garble", {"leave": False}, b"GET / HTTP/1.1\r\n\r\n", "unreadable"),
        ("garble", {"leave": False}, struct.pack(">I", 2**32 - 1), "unreadable"),
        ("garble", {"leave": True}, b"\0\0\0\x20{", "unreadable"),
        ("garble", {"leave": True}, b"\0\0", "unreadable"),
        ("frame", {"frame": {"type": "done", "message": 1}}, b"", "unreadable"),
        ("frame", {"frame": {"type": "ready"}}, b"", "unreadable"),
        ("hungry", {"mib": 1000}, b"", "out of memory"),
        ("fill", {"files": 20, "bytes": 1 << 20}, b"", "wrote more than 4 MiB"),
    ],
    ids=[
        "exit",
        "abort",
        "kill",
        "garbage",
        "4 GiB",
        "half a frame",
        "half a length",
        "lie",
        "ready",
        "memory",
        "disk",
    ],
)
def test_a_fault_costs_its_job_and_nothing_else(table, task, params, sent, words):
    given, others = upload(table), upload(table)
    neighbour = pid(table, others), shared_pids(table.pool)
    job = ask(table, task, given, params, {"bytes": np.frombuffer(sent, np.uint8)})
    assert isinstance(job.error, WorkerError)
    assert words in job.error.problem
    began = time.monotonic()
    assert ask(table, "echo", given, seconds=5).state == "done"
    assert time.monotonic() - began < 5
    assert (pid(table, others), shared_pids(table.pool)) == neighbour
    for each in (given, others):
        table.forget_upload(each.id)
    assert until(lambda: not scratches(table.pool), 5)


@linux
def test_a_hang_ends_at_the_wall_and_a_frozen_worker_is_replaced():
    with toy_pool(1, tasks=HOSTILE, reply_limit_s=0.5, private=PrivateLimits(wall_s=0.5)) as pool:
        table = JobTable(pool)
        given = upload(table)
        job = ask(table, "hang", given)
        assert "longer than 0.5 s" in job.error.problem
        assert ask(table, "echo", given, seconds=5).state == "done"
        os.kill(pid(table, given), signal.SIGSTOP)
        assert ask(table, "echo", given, seconds=5).state == "done"


@pytest.mark.parametrize(("memory", "count"), [(3000, 1), (16_384, 2), (24_105, 3), (65_536, 4)])
def test_there_are_as_many_as_the_memory_of_the_machine_holds(memory, count, monkeypatch):
    monkeypatch.setattr(private, "machine_mib", lambda: memory)
    assert PrivateLimits().count == count
    assert PrivateLimits(count=7).count == 7


def test_the_memory_of_a_machine_is_a_number_of_mebibytes():
    assert 256 < private.machine_mib() < 2**26


def test_the_one_idle_longest_ends_where_another_is_wanted():
    with toy_pool(1, tasks=HOSTILE, private=PrivateLimits(count=4)) as pool:
        table = JobTable(pool)
        given = [upload(table) for _ in range(6)]
        pids = [pid(table, each) for each in given[:4]]
        assert pid(table, given[0]) == pids[0]  # used again: the second is now the oldest
        fifth = pid(table, given[4])
        now = {worker.pid for worker in pool.status().private}
        assert now == {pids[0], *pids[2:], fifth}
        assert until(lambda: not alive(pids[1]) and len(scratches(pool)) == 4, 5)
        assert pid(table, given[1]) not in pids


def test_a_busy_worker_is_not_ended_for_another_and_the_job_waits():
    with toy_pool(1, tasks=HOSTILE, cancel_grace_s=0.2, private=PrivateLimits(count=1)) as pool:
        table = JobTable(pool)
        one, two = upload(table), upload(table)
        first = submit(table, "steps", one, {"count": 60, "pause": 0.01}, session="A")
        assert until(lambda: first.state == "running", 10)
        second = submit(table, "who", two, session="B")
        assert (second.state, table.place(second)) == ("queued", 1)
        assert ask(table, "echo", None, session="C").state == "done"  # the shared ones go on meanwhile
        assert (first.state, second.state) == ("running", "queued")
        assert first.wait(10)
        assert second.wait(10)
        assert (first.state, second.state) == ("done", "done")


def test_many_uploads_with_waiting_jobs_are_all_answered():
    with toy_pool(1, tasks=HOSTILE, private=PrivateLimits(count=2)) as pool:
        table = JobTable(pool)
        given = [upload(table) for _ in range(5)]
        jobs = [submit(table, "echo", each, {"n": n}, session=f"s{n}") for n, each in enumerate(given)]
        assert all(job.wait(20) for job in jobs)
        assert [job.result.message["n"] for job in jobs] == [0, 1, 2, 3, 4]
        assert table.counts.computed == 5


def test_an_idle_worker_ends_and_comes_back_when_asked():
    with toy_pool(1, tasks=HOSTILE, private=PrivateLimits(idle_s=0.3)) as pool:
        table = JobTable(pool)
        given = upload(table)
        first = pid(table, given)
        assert until(lambda: not pool.status().private and not scratches(pool), 5)
        assert not alive(first)
        assert Path(given.path).exists()
        assert pid(table, given) != first
        assert ask(table, "echo", None).state == "done"


def test_forgetting_an_upload_ends_its_jobs_its_worker_and_its_files(table):
    given = upload(table)
    running = submit(table, "hang", given)
    assert until(lambda: running.state == "running", 10)
    waiting = submit(table, "echo", given, session="other")
    before = {worker.pid for worker in table.pool.status().private}
    table.forget_upload(given.id)
    assert (running.state, waiting.state) == ("cancelled", "cancelled")
    assert until(lambda: not any(alive(each) for each in before) and not scratches(table.pool), 5)
    job = ask(table, "echo", given)
    assert isinstance(job.error, ModelError)
    assert "Upload it again" in job.error.hint


def test_a_worker_that_cannot_start_fails_its_jobs_only(caplog):
    with toy_pool(1, tasks=HOSTILE, private=PrivateLimits(start_s=0.0)) as pool:
        table = JobTable(pool)
        job = ask(table, "echo", upload(table))
        assert job.error.problem == "The process for this model could not start."
        assert job.retryable
        assert ask(table, "echo", None).state == "done"
        assert pool.trouble is None


@linux
def test_a_worker_that_dies_while_it_starts_is_started_once_more():
    with toy_pool(1, tasks="tests.workers.toys_slow_start") as pool:
        table = JobTable(pool)
        job = submit(table, "echo", upload(table), {"n": 1})
        assert until(lambda: any(worker.pid for worker in pool.status().private), 10)
        os.kill(pool.status().private[0].pid, signal.SIGKILL)
        assert job.wait(15)
        assert job.result.message["n"] == 1


def test_a_flood_of_messages_does_not_occupy_the_server(table):
    given = upload(table)
    noisy = submit(table, "talk", given, {"seconds": 1.5}, session="noisy")
    assert until(lambda: noisy.progress is not None, 10)
    before = time.process_time()
    began = time.monotonic()
    assert noisy.wait(20)
    share = (time.process_time() - before) / (time.monotonic() - began)
    assert noisy.state == "done"
    assert share < 0.5
    table.forget_upload(given.id)


def test_a_flood_of_log_lines_is_slowed_down(table):
    given = upload(table)
    began = time.process_time()
    noisy = submit(table, "flood", given, {"lines": 10**6}, session="noisy")
    assert not noisy.wait(1.5)
    assert time.process_time() - began < 1
    table.forget_upload(given.id)
    assert noisy.state == "cancelled"


def test_everything_is_gone_when_the_pool_closes():
    with toy_pool(1, tasks=HOSTILE) as pool:
        table = JobTable(pool)
        given = upload(table)
        private = pid(table, given)
        submit(table, "hang", given)
        folder = pool.uploads.folder
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not alive(private)
    assert not folder.exists()


# the queue, on a pool whose runs end when the test says so


def test_background_work_on_an_upload_makes_way_for_its_own_foreground_only():
    pool = FakePool(2)
    one, two = Upload("a", "/a"), Upload("b", "/b")
    pool.made = [one, two]
    table = JobTable(pool)
    slow = [submit(table, f"slow {each.id}", each, background=True) for each in (one, two)]
    elsewhere = submit(table, "elsewhere", None, background=True)
    assert [job.state for job in (*slow, elsewhere)] == ["running"] * 3
    quick = submit(table, "quick", one)
    assert [run.cancelled_at is not None for run in pool.running] == [True, False, False]
    pool.end("slow a")
    assert (quick.state, slow[0].state) == ("running", "queued")


def test_a_worker_is_wanted_only_for_uploads_that_wait():
    pool = FakePool(1)
    made, new = Upload("a", "/a"), Upload("b", "/b")
    pool.made = [made]
    table = JobTable(pool)
    submit(table, "first", made, session="A")
    assert pool.wanted == []
    waiting = submit(table, "second", new, session="B")
    assert set(pool.wanted) == {new}
    shared = submit(table, "third", None, session="C")
    assert (waiting.state, shared.state) == ("queued", "running")
    pool.give_up(WorkerError("The process for this model could not start."), new)
    assert waiting.state == "failed"
    assert pool.started == ["first", "third"]


# folders


def test_what_a_killed_server_left_behind_is_removed_and_a_living_one_is_left_alone(tmp_path):
    living, dead = Store(tmp_path), Store(tmp_path)
    for store in (living, dead):
        store.keep(b"x", "h5")
        os.utime(store.folder, (0, 0))
    dead._alive.close()  # as when its process ends
    young = tmp_path / "saliency-lab-young"
    young.mkdir()
    other = Store(tmp_path)
    assert other.keep([b"two ", b"pieces"], "../x.Ke/ras").path.endswith("/model.xkeras")
    assert {path.name for path in tmp_path.iterdir()} == {living.folder.name, young.name, other.folder.name}
    living.close()
    other.close()
    assert list(tmp_path.iterdir()) == [young]


def test_a_store_removes_only_what_it_keeps(tmp_path):
    outside = tmp_path / "mine"
    outside.mkdir()
    store = Store(tmp_path)
    store.keep(b"x", "pb")
    for name in ("../mine", "", ".", "mine"):
        store.remove(name)
    assert outside.exists()
    assert len(list(store.folder.iterdir())) == 2
    store.close()


def test_a_folder_goes_however_it_is_nested_or_closed(tmp_path):
    top, kept = tmp_path / "top", tmp_path / "kept"
    (top / "a" / "b").mkdir(parents=True)
    kept.write_text("stays")
    (top / "a" / "link").symlink_to(kept)
    (top / "folder link").symlink_to(tmp_path)
    here = os.open(top, os.O_RDONLY)
    for _ in range(1200):  # deeper than Python recurses, longer than a path may be
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    (top / "a").chmod(0)
    removers = [threading.Thread(target=remove_folder, args=(top,)) for _ in range(2)]
    for each in removers:
        each.start()
    for each in removers:
        each.join()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert kept.read_text() == "stays"


def test_a_folder_is_measured_and_too_many_files_are_too_much(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "file").write_bytes(bytes(3 << 20))
    assert folder_mib(str(tmp_path)) == 3
    monkeypatch.setattr("saliency_core.workers.private.ENTRIES", 1)
    assert folder_mib(str(tmp_path)) == float("inf")
    assert folder_mib(str(tmp_path / "gone")) == 0


@linux
def test_a_storm_of_uploads_faults_and_farewells_loses_nothing():
    """Five uploads for two places: asked, cancelled, forgotten and killed for three seconds."""
    chance = random.Random(0)
    limits = PrivateLimits(count=2, idle_s=0.4, wall_s=1.0, start_s=6.0)
    with toy_pool(1, tasks=HOSTILE, cancel_grace_s=0.2, reply_limit_s=1.0, private=limits) as pool:
        table = JobTable(pool)
        given, jobs, end = [upload(table) for _ in range(5)], [], time.monotonic() + 3
        before = shared_pids(pool)
        while time.monotonic() < end:
            number = len(jobs)
            task = chance.choices(["echo", "steps", "die", "hang", "pieces"], [8, 3, 1, 1, 2])[0]
            params = {"n": number, "count": 3, "how": chance.choice(["exit", "abort", "kill"])}
            target = chance.choice([*given, None]) if task in ("echo", "steps") else chance.choice(given)
            jobs.append(
                submit(table, task, target, params, session=f"s{number % 4}", background=number % 5 == 0)
            )
            if chance.random() < 0.1:
                table.cancel(chance.choice(jobs))
            if chance.random() < 0.05:
                place = chance.randrange(5)
                table.forget_upload(given[place].id)
                given[place] = upload(table)
            busy = [worker.pid for worker in pool.status().private if worker.pid]
            if busy and chance.random() < 0.05:
                with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
                    os.kill(chance.choice(busy), chance.choice([signal.SIGKILL, signal.SIGSTOP]))
            time.sleep(0.02)
        for each in given:
            ended = ask(table, "echo", each, {"last": each.id}, seconds=30, session=each.id)
            assert ended.result.message["last"] == each.id
        assert all(job.wait(30) for job in jobs)
        assert all(job.result.message["n"] == job.request.params["n"] for job in jobs if echoed(job))
        assert table.counts.submitted == table.counts.ended
        assert sum(echoed(job) for job in jobs) >= 5
        assert shared_pids(pool) == before
        for each in given:
            table.forget_upload(each.id)
        assert until(lambda: not scratches(pool) and not pool.status().private, 5)


def echoed(job):
    return job.state == "done" and job.request.task == "echo"
