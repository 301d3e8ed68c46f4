"""The process that stands by: taken once, replaced, as shut in as any other, and harmless when it is lost."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from saliency_core.workers import standby
from saliency_core.workers.jobs import JobTable
from saliency_core.workers.private import PrivateLimits, Store, confine, hand_over
from tests.workers.conftest import HOSTILE, toy_pool, until
from tests.workers.test_faults import alive
from tests.workers.test_private import ask, pid, upload

linux = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(standby, "REST_S", 0.0)
    monkeypatch.setattr(standby, "RETRY_S", 0.0)


@pytest.fixture
def table():
    with toy_pool(1, tasks=HOSTILE, private=PrivateLimits(count=2, memory_mib=400)) as pool:
        yield JobTable(pool)


def spare(pool):
    return pool.status().standby


def ready(pool):
    """Have a process stand by, and return its id."""
    pool.stand_by()
    assert until(lambda: spare(pool).state == "ready", 10)
    return spare(pool).pid


def folders(pool):
    return sorted(name.split("-")[0] for name in os.listdir(pool.uploads.folder) if "-" in name)


def test_nothing_stands_by_unless_asked(table):
    pid(table, upload(table))
    time.sleep(0.2)
    assert spare(table.pool).pid is None


def test_an_upload_takes_the_process_that_stands_by_and_the_next_takes_a_fresh_one(table):
    first = ready(table.pool)
    one, two = upload(table), upload(table)
    assert pid(table, one) == first
    second = ready(table.pool)
    assert second != first
    assert pid(table, two) == second
    assert [pid(table, each) for each in (one, two)] == [first, second]  # and each keeps its own
    assert spare(table.pool).pid not in (first, second)


def test_a_process_that_is_still_starting_is_taken_as_it_is():
    with toy_pool(1, tasks="tests.workers.toys_slow_start") as pool:
        table = JobTable(pool)
        pool.stand_by()
        assert until(lambda: spare(pool).state == "starting", 10)
        taken = spare(pool).pid
        assert pid(table, upload(table)) == taken


def test_it_reads_its_own_upload_and_no_other_and_changes_neither(table):
    other = upload(table, b"another's")
    ready(table.pool)
    given = upload(table, b"mine")
    message = ask(table, "scratch", given).result.message
    assert message["seen"][2] == "mine"
    if sys.platform == "linux":
        assert {"landlock", "seccomp", "no_new_privs"} <= set(message["held"])
        for way, path in (
            ("read", other.path),
            ("read", given.path),
            ("list", str(table.pool.uploads.folder)),
        ):
            assert ask(table, "attempt", given, {"way": way, "path": path}).result.message["errno"] == 13
        inside = place_of(table.pool)
        assert os.listdir(inside) == ["model.keras"]
        seen = f"{inside}/model.keras"
        for way in ("write", "append", "truncate", "unlink", "chmod", "link", "rename"):
            assert "refused" in ask(table, "attempt", given, {"way": way, "path": seen}).result.message, way
        assert (
            "refused" in ask(table, "attempt", given, {"way": "mkdir", "path": f"{inside}/x"}).result.message
        )
    assert (Path(given.path).read_bytes(), Path(other.path).read_bytes()) == (b"mine", b"another's")


def place_of(pool):
    (taken,) = [one.pid for one in pool.status().private]
    argument = Path(f"/proc/{taken}/cmdline").read_bytes().split(b"\0")
    return next(json.loads(one)["place"] for one in argument if one.startswith(b"{"))


def test_it_counts_among_no_models_and_all_places_stay_for_uploads(table):
    ready(table.pool)
    given = [upload(table) for _ in range(2)]
    pids = [pid(table, each) for each in given]
    ready(table.pool)
    assert [pid(table, each) for each in given] == pids  # two places, two models, and one stands by
    assert len(table.pool.status().private) == 2
    pid(table, upload(table))
    assert len(table.pool.status().private) == 2  # the one idle longest has ended


def test_forgetting_the_upload_ends_the_process_and_removes_its_folders(table):
    taken, given = ready(table.pool), upload(table)
    assert pid(table, given) == taken
    ready(table.pool)
    assert folders(table.pool) == ["place", "place", "scratch", "scratch"]
    table.forget_upload(given.id)
    assert until(lambda: not alive(taken) and folders(table.pool) == ["place", "scratch"], 5)
    assert not Path(given.path).exists()


def test_it_dies_with_the_pool_and_leaves_nothing():
    with toy_pool(1, tasks=HOSTILE) as pool:
        waiting = ready(pool)
        folder = pool.uploads.folder
        assert alive(waiting)
    assert not alive(waiting)
    assert not folder.exists()


def test_it_ends_when_nobody_asks_any_more():
    with toy_pool(1, tasks=HOSTILE, private=PrivateLimits(idle_s=0.4)) as pool:
        waiting = ready(pool)
        for _ in range(4):
            time.sleep(0.2)
            pool.stand_by()
        assert spare(pool).pid == waiting  # asked for again and again
        assert until(lambda: not alive(waiting) and spare(pool).pid is None, 5)
        assert until(lambda: folders(pool) == [], 5)
        time.sleep(0.2)
        assert spare(pool).pid is None
        assert ask(JobTable(pool), "echo", None).state == "done"


@linux
def test_a_crash_is_harmless_and_another_one_takes_its_place(table):
    shared = [worker.pid for worker in table.pool.status().workers]
    for _ in range(3):
        lost = ready(table.pool)
        os.kill(lost, signal.SIGKILL)
        assert until(lambda gone=lost: spare(table.pool).pid not in (gone, None), 10)
    assert table.pool.trouble is None
    assert [worker.pid for worker in table.pool.status().workers] == shared
    assert pid(table, upload(table)) == ready_or_taken(table.pool)


def ready_or_taken(pool):
    return pool.status().private[0].pid


@linux
def test_one_that_was_lost_at_the_moment_of_being_taken_costs_no_answer(table):
    for _ in range(5):
        os.kill(ready(table.pool), signal.SIGKILL)
        given = upload(table)
        assert ask(table, "echo", given).state == "done"
        table.forget_upload(given.id)


def test_one_that_cannot_start_troubles_nobody():
    with toy_pool(1, tasks=HOSTILE, private=PrivateLimits(start_s=0.0)) as pool:
        told = []
        pool.on_trouble(lambda *what: told.append(what))
        pool.stand_by()
        time.sleep(0.5)
        assert told == []
        assert pool.trouble is None


def test_the_next_one_waits_until_the_first_is_at_work(table, monkeypatch):
    monkeypatch.setattr(standby, "REST_S", 0.6)
    taken, began = ready(table.pool), time.monotonic()
    assert pid(table, upload(table)) == taken
    assert spare(table.pool).pid is None
    assert until(lambda: spare(table.pool).pid is not None, 5)
    assert time.monotonic() - began >= 0.6


def test_a_folder_or_a_lost_file_is_opened_the_long_way(table, tmp_path):
    from saliency_core.workers.private import Upload

    waiting = ready(table.pool)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "part").write_text("inner")
    given = Upload("folder", str(tmp_path / "model"))
    found = ask(table, "attempt", given, {"way": "read", "path": str(tmp_path / "model" / "part")})
    assert found.result.message == {"got": "inner"}
    lost = ask(table, "echo", Upload("lost", str(tmp_path / "nothing")))
    assert "no longer on the server" in lost.error.problem
    assert spare(table.pool).pid == waiting


def test_a_file_is_handed_over_once_and_is_the_same_file(tmp_path):
    store = Store(tmp_path)
    given = store.keep(b"content", ".pb")
    made = confine(None, PrivateLimits(), store.folder)
    assert (made.readable, os.listdir(made.place)) == ((), [])
    seen = hand_over(given.path, made.place)
    assert os.path.samefile(seen, given.path)
    with pytest.raises(FileExistsError):
        hand_over(given.path, made.place)
    store.close()
