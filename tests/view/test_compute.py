"""The page's way to the workers: latest wins, failures stay, the gone are forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from saliency_core.errors import WorkerError
from saliency_core.workers.jobs import JobTable
from saliency_core.workers.pool import Pool
from saliency_view import compute
from tests.workers.fake_pool import FakePool

SLOW = {"count": 2, "pause": 0.4}  # seconds; the ten moves together take a quarter of one step


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> FakePool:
    made = FakePool()
    monkeypatch.setattr(compute, "_tables", [JobTable(made)])
    monkeypatch.setattr(compute, "_sessions", set())
    return made


@pytest.fixture(scope="module")
def toys() -> Iterator[Pool]:
    made = Pool(2, "tests.workers.toys")
    assert made.wait_ready(30, 2)
    yield made
    made.close()


def test_moving_a_setting_ten_times_quickly_computes_at_most_two_maps(
    toys: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = JobTable(toys)
    monkeypatch.setattr(compute, "_tables", [table])
    for setting in range(10):
        last = compute.ask("explain", "steps", {**SLOW, "setting": setting}, wait=0)
        time.sleep(0.01)
    assert last.wait(10)
    assert last.state == "done"
    assert table.counts.computed <= 2
    assert (table.counts.submitted, table.counts.done, table.counts.cancelled) == (10, 1, 9)


def test_a_question_asked_again_is_the_same_job(pool: FakePool) -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    first = compute.ask("explain", "echo", {"model": "digits"}, {"image": pixels}, wait=0)
    assert compute.ask("explain", "echo", {"model": "digits"}, {"image": pixels.copy()}, wait=0) is first
    pool.end("echo")
    assert compute.ask("explain", "echo", {"model": "digits"}, {"image": pixels}, wait=0) is first
    other = compute.ask("explain", "echo", {"model": "digits"}, {"image": pixels + 1}, wait=0)
    assert other is not first


def test_a_page_waits_no_longer_than_it_is_patient(pool: FakePool) -> None:
    began = time.monotonic()
    job = compute.ask("explain", "echo", {}, wait=0.05)
    assert not job.ended
    assert 0.05 <= time.monotonic() - began < 2


def test_what_failed_stays_failed_until_it_is_asked_again(pool: FakePool) -> None:
    first = compute.ask("explain", "echo", {}, wait=0)
    pool.end("echo", "failed", WorkerError("The worker ended.", "Try again."))
    assert first.state == "failed"
    assert compute.ask("explain", "echo", {}, wait=0) is first
    assert pool.started == ["echo"]
    compute.again(first)
    second = compute.ask("explain", "echo", {}, wait=0)
    assert second is not first
    pool.end("echo")
    assert second.state == "done"


def test_a_stopped_job_stays_stopped_until_it_is_asked_again(pool: FakePool) -> None:
    job = compute.ask("explain", "echo", {}, wait=0)
    compute.stop(job)
    assert job.state == "cancelled"
    assert compute.ask("explain", "echo", {}, wait=0) is job


def test_a_failed_question_does_not_stand_in_the_way_of_another(pool: FakePool) -> None:
    compute.ask("explain", "echo", {}, wait=0)
    pool.end("echo", "failed", WorkerError("The worker ended."))
    assert compute.ask("explain", "echo", {"target": "class_logit(1)"}, wait=0).state == "running"


def sessions(monkeypatch: pytest.MonkeyPatch, alive: set[str]) -> SimpleNamespace:
    """Stand in for Streamlit's runtime: `.id` is the session that is drawn, `alive` those that are open."""
    context = SimpleNamespace(session_id="")
    instance = SimpleNamespace(is_active_session=lambda one: one in alive)
    monkeypatch.setattr(compute, "get_script_run_ctx", lambda: context)
    monkeypatch.setattr(
        compute, "runtime", SimpleNamespace(exists=lambda: True, get_instance=lambda: instance)
    )
    return context


def test_the_jobs_of_sessions_that_ended_are_dropped(pool: FakePool, monkeypatch: pytest.MonkeyPatch) -> None:
    alive = {"ann", "bob"}
    context = sessions(monkeypatch, alive)
    for name in ("ann", "bob"):
        context.session_id = name
        compute.ask("explain", "echo", {"whose": name}, wait=0)
    alive -= {"ann"}
    alive |= {"eve"}
    context.session_id = "eve"
    assert compute.session() == "eve"
    assert compute.table().latest(("ann", "explain")) is None
    assert compute.table().latest(("bob", "explain")) is not None


def test_sessions_that_come_at_once_do_not_trip_over_each_other(
    pool: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    local, wrong = threading.local(), []

    def slow(one: str) -> bool:
        time.sleep(0.0002)
        return True

    instance = SimpleNamespace(is_active_session=slow)
    monkeypatch.setattr(compute, "get_script_run_ctx", lambda: local)
    monkeypatch.setattr(
        compute, "runtime", SimpleNamespace(exists=lambda: True, get_instance=lambda: instance)
    )

    def come(first: int) -> None:
        try:
            for number in range(first, first + 25):
                local.session_id = f"session {number}"
                compute.session()
        except RuntimeError as error:
            wrong.append(error)

    threads = [threading.Thread(target=come, args=(25 * n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(compute._sessions) == 150


def test_the_workers_are_started_once_and_end_with_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[FakePool] = []

    def new(**settings: object) -> FakePool:
        made.append(FakePool())
        return made[-1]

    monkeypatch.setattr(compute, "_tables", [])
    monkeypatch.setattr(compute, "Pool", new)
    tables = {id(compute.table()) for _ in range(3)}
    assert (len(tables), len(made)) == (1, 1)
    job = compute.ask("explain", "echo", {}, wait=0)
    compute.close()
    assert job.state == "cancelled"
    assert compute._tables == []


def test_models_go_with_a_visit_that_stays_away_and_wait_for_one_that_was_cut_off(
    pool: FakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, gone, now = {"ann", "bob"}, [], [1000.0]
    context = sessions(monkeypatch, alive)
    monkeypatch.setattr(compute, "_uploads", {})
    monkeypatch.setattr(compute, "_left", {})
    monkeypatch.setattr(compute, "forget_upload", gone.append)
    monkeypatch.setattr(compute, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for name in ("ann", "bob"):
        context.session_id = name
        compute.note_upload(f"model of {name}")
    alive.clear()
    compute.forget_the_gone()
    now[0] += compute.GONE_S - 1
    alive.add("bob")  # the line was cut, and is there again
    compute.forget_the_gone()
    assert gone == []
    now[0] += 1
    alive.clear()
    compute.forget_the_gone()
    assert gone == ["model of ann"]
    now[0] += compute.GONE_S
    compute.forget_the_gone()
    assert sorted(gone) == ["model of ann", "model of bob"]
