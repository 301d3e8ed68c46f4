"""Latest wins, sessions take turns, equal requests are computed once, and every job ends once."""

import threading
import time

import numpy as np
import pytest

from saliency_core.errors import SettingError, WorkerError
from saliency_core.workers import jobs
from saliency_core.workers.frames import FrameError
from saliency_core.workers.job import Result
from saliency_core.workers.jobs import BusyError, JobTable, Request
from saliency_core.workers.results import Results
from saliency_core.workers.run import CrashError, News, read_news
from tests.workers.conftest import until
from tests.workers.fake_pool import FakePool


def asks(table, *names, session="s", background=False):
    """Submit one request for each name, each on a panel of its own."""
    return [table.submit((session, name), Request(name, background=background)) for name in names]


def states(jobs):
    return [job.state for job in jobs]


# requests


def test_the_fingerprint_covers_task_params_and_every_byte():
    image = np.zeros((600, 600, 3), np.uint8)
    other = image.copy()
    other[599, 599, 2] = 1
    same = Request("explain", {"b": [1, 2], "a": 1}, {"image": image})
    different = [
        Request("classify", {"a": 1, "b": [1, 2]}, {"image": image}),
        Request("explain", {"a": 2, "b": [1, 2]}, {"image": image}),
        Request("explain", {"a": 1, "b": [2, 1]}, {"image": image}),
        Request("explain", {"a": 1, "b": [1, 2]}, {"image": other}),
        Request("explain", {"a": 1, "b": [1, 2]}, {"image": image.reshape(600, 1800)}),
        Request("explain", {"a": 1, "b": [1, 2]}, {"image": image.view(bool)}),
        Request("explain", {"a": 1, "b": [1, 2]}, {"picture": image}),
    ]
    assert Request("explain", {"a": 1, "b": (1, 2)}, {"image": image}).fingerprint == same.fingerprint
    assert len({same.fingerprint, *(request.fingerprint for request in different)}) == 8


def test_a_request_keeps_its_numbers_when_the_caller_changes_theirs():
    mine = np.zeros(3)
    request = Request("explain", {}, {"x": mine})
    before = request.fingerprint
    mine[0] = 1
    assert request.arrays["x"][0] == 0
    assert Request("explain", {}, {"x": request.arrays["x"]}).fingerprint == before
    with pytest.raises(ValueError, match="read-only"):
        request.arrays["x"][0] = 1


@pytest.mark.parametrize("params", [{"x": float("nan")}, {"x": object()}])
def test_a_request_that_cannot_be_sent_is_refused_at_once(params):
    with pytest.raises(WorkerError):
        Request("explain", params)


# scheduling, on a pool whose runs end when the test says so


def test_ten_quick_submits_on_one_key_compute_the_first_and_the_last():
    pool = FakePool(2)
    table = JobTable(pool)
    jobs = [table.submit(("s", "map"), Request(f"t{i}")) for i in range(10)]
    assert states(jobs) == ["cancelled"] * 9 + ["queued"]
    pool.end("t0")
    assert pool.started == ["t0", "t9"]
    pool.end("t9", answer=9)
    assert jobs[9].result.message == {"answer": 9}
    assert jobs[9].result.fingerprint == jobs[9].fingerprint
    assert (table.counts.submitted, table.counts.done, table.counts.cancelled) == (10, 1, 9)


def test_asking_again_gives_the_same_job_unless_it_failed():
    pool = FakePool()
    table = JobTable(pool)
    first = table.submit(("s", "map"), Request("a"))
    assert table.submit(("s", "map"), Request("a")) is first
    pool.end("a")
    assert table.submit(("s", "map"), Request("a")) is first
    assert table.counts.submitted == 1
    failing = table.submit(("s", "map"), Request("b"))
    pool.end("b", "failed", CrashError("gone"))
    assert table.submit(("s", "map"), Request("b")).state == "running"
    assert failing.state == "failed"
    first = table.submit(("s", "map"), Request("c"))
    assert table.latest(("s", "map")) is first


def test_a_session_runs_one_job_and_the_other_panels_wait():
    pool = FakePool(2)
    table = JobTable(pool)
    jobs = asks(table, "a", "b", "c")
    assert states(jobs) == ["running", "queued", "queued"]
    assert [table.place(job) for job in jobs] == [0, 1, 2]
    pool.end("a")
    pool.end("b")
    assert pool.started == ["a", "b", "c"]


def test_two_sessions_take_turns():
    pool = FakePool(1)
    table = JobTable(pool)
    asks(table, "a1", "a2", "a3", session="A")
    asks(table, "b1", "b2", session="B")
    for task in ("a1", "b1", "a2", "b2"):
        pool.end(task)
    assert pool.started == ["a1", "b1", "a2", "b2", "a3"]


def test_a_free_worker_goes_to_the_session_that_has_none():
    pool = FakePool(2)
    table = JobTable(pool, running_per_session=2)
    asks(table, "a1", "a2", "a3", session="A")
    asks(table, "b1", session="B")
    pool.end("a1")
    assert pool.started == ["a1", "a2", "b1"]


def test_equal_requests_of_two_sessions_are_computed_once():
    pool = FakePool(2)
    table = JobTable(pool)
    (first,), (second,) = asks(table, "a", session="A"), asks(table, "a", session="B")
    assert states([first, second]) == ["running", "running"]
    table.cancel(first)
    assert pool.runs()[0].cancelled_at is None  # B still wants it
    pool.end("a", answer=1)
    assert states([first, second]) == ["cancelled", "done"]
    assert pool.started == ["a"]
    assert table.counts.shared == 1


def test_a_shared_computation_counts_for_whoever_is_left():
    pool = FakePool(2)
    table = JobTable(pool)
    (first,) = asks(table, "a", session="A")
    asks(table, "a", session="B")
    table.cancel(first)
    asks(table, "next", session="A")
    assert pool.started == ["a", "next"]
    asks(table, "other", session="B")
    assert pool.started == ["a", "next"]


def test_a_computation_stops_when_nobody_wants_it_and_starts_afresh_when_somebody_does():
    pool = FakePool(2)
    table = JobTable(pool)
    for session in "AB":
        asks(table, "a", session=session)
    table.forget("A")
    table.forget("B")
    assert pool.runs()[0].cancelled_at is not None
    (job,) = asks(table, "a", session="C")
    assert pool.started == ["a", "a"]
    pool.end("a")
    assert job.state == "running"
    pool.end("a")
    assert job.state == "done"


def test_an_unwanted_step_worth_finishing_does_not_hold_up_its_session():
    pool = FakePool(2)
    table = JobTable(pool)
    table.submit(("s", "map"), Request("opens_a_model"))
    pool.runs()[0].be_patient(60)
    job = table.submit(("s", "map"), Request("b"))
    assert job.state == "running"


def test_a_repeated_request_is_answered_from_memory():
    pool = FakePool(1)
    table = JobTable(pool)
    (first,) = asks(table, "a", session="A")
    pool.end("a", answer=1)
    (again,) = asks(table, "a", session="B")
    assert again.state == "done"
    assert again.result is first.result
    assert again.wait(0)
    assert table.counts.remembered == 1


def test_background_waits_for_foreground_and_leaves_it_a_worker():
    pool = FakePool(2)
    table = JobTable(pool)
    asks(table, "b1", "b2", "b3", background=True)
    assert pool.started == ["b1"]
    asks(table, "f1", session="A")
    asks(table, "f2", session="B")  # no worker is free: b1 makes room
    assert pool.started == ["b1", "f1"]
    pool.end("b1")
    assert pool.started == ["b1", "f1", "f2"]
    pool.end("f1")
    assert pool.started == ["b1", "f1", "f2", "b1"]
    pool.end("b1", answer=1)
    assert table.latest(("s", "b1")).result.message == {"answer": 1}


def test_a_long_map_makes_room_for_another_session_and_goes_on_from_what_is_known(monkeypatch):
    monkeypatch.setattr(jobs, "SLICE_S", 0.0)
    pool = FakePool(1)
    table = JobTable(pool)
    (long,) = asks(table, "long", session="A")
    asks(table, "other", session="A")  # of the same session: it waits for the end
    half = {"values": np.ones(3)}
    pool.runs()[0].on_news(News(1, 4, "", half))
    assert pool.runs()[0].cancelled_at is None
    (quick,) = asks(table, "quick", session="B")
    pool.runs()[0].on_news(News(2, 4, "", {}))  # nothing new to go on from
    assert pool.runs()[0].cancelled_at is None
    pool.runs()[0].on_news(News(2, 4, "", half, {"done": 2}))
    pool.end("long")
    assert pool.started == ["long", "quick"]
    assert (long.state, long.partial.message) == ("queued", {"done": 2})
    pool.end("quick")
    assert pool.started == ["long", "quick", "long"]
    assert pool.given == {"begun": {"done": 2}}
    pool.end("long", done=4)
    assert (long.state, long.result.message, quick.state) == ("done", {"done": 4}, "done")
    pool.end("other")
    assert table.counts.submitted == table.counts.done == 3


def test_no_more_long_maps_make_room_than_sessions_wait(monkeypatch):
    monkeypatch.setattr(jobs, "SLICE_S", 0.0)
    pool = FakePool(2)
    table = JobTable(pool)
    asks(table, "a", session="A")
    asks(table, "b", session="B")
    (gone,) = asks(table, "c", session="C")
    for run in pool.runs():
        run.on_news(News(1, 4, "", {"values": np.ones(3)}))
    assert [run.cancelled_at is None for run in pool.runs()] == [False, True]
    table.cancel(gone)
    pool.end("a")
    assert pool.started == ["a", "b", "a"]


def test_background_becomes_foreground_when_somebody_waits_for_it():
    pool = FakePool(1)
    table = JobTable(pool)
    (early,) = asks(table, "a", background=True)
    (job,) = asks(table, "a", session="A")
    asks(table, "f", session="B")
    assert pool.runs()[0].cancelled_at is None
    pool.end("a")
    assert states([early, job]) == ["done", "done"]


def test_when_the_queue_is_full_background_goes_first_and_the_rest_is_told_its_place():
    pool = FakePool(1)
    table = JobTable(pool, queue_limit=2)
    asks(table, "running", session="R")
    (spare,) = asks(table, "spare", session="S", background=True)
    asks(table, "a", session="A")
    asks(table, "b", session="B")
    assert spare.state == "cancelled"
    with pytest.raises(BusyError, match="busy: this would be place 3"):
        asks(table, "c", session="C")
    with pytest.raises(BusyError, match="busy"):
        asks(table, "c", session="C", background=True)
    asks(table, "a", session="C")  # what waits already takes no more room
    assert table.counts.submitted == 5


def test_a_session_cannot_fill_the_queue():
    table = JobTable(FakePool(1), queued_per_session=3)
    asks(table, "a", "b", "c", "d")
    with pytest.raises(BusyError, match="waits for 3"):
        asks(table, "e")
    table.submit(("s", "d"), Request("d again"))  # in place of d
    assert table.waiting() == 3


def test_a_job_that_no_worker_saw_is_tried_again_at_most_three_times():
    pool = FakePool(1)
    table = JobTable(pool)
    (job,) = asks(table, "a")
    for _ in range(2):
        pool.end("a", "unstarted", CrashError("gone"))
        assert job.state == "running"
    pool.end("a", "unstarted", CrashError("gone"))
    assert (job.state, job.error.problem, job.retryable) == ("failed", "gone", True)


def test_when_no_worker_can_start_waiting_jobs_fail_with_the_reason():
    pool = FakePool(0)
    table = JobTable(pool)
    first, second = asks(table, "a", "b")
    pool.trouble = WorkerError("The worker processes cannot start.", "See the log.")
    pool.give_up(pool.trouble)
    (third,) = asks(table, "c")
    assert states([first, second, third]) == ["failed"] * 3
    assert third.error.problem == "The worker processes cannot start."
    assert table.counts.submitted == table.counts.ended == 3


def test_progress_has_an_estimate_and_partial_arrays_that_stay():
    pool = FakePool(1)
    table = JobTable(pool)
    (job,) = asks(table, "a")
    run = pool.runs()[0]
    run.on_news(News(0, 4, "begins", {}))
    assert (job.progress.message, job.progress.eta_s, job.partial) == ("begins", None, None)
    time.sleep(0.02)
    run.on_news(News(1, 4, "goes on", {"mean": np.zeros(2)}))
    assert job.progress.eta_s >= 0.06
    run.on_news(News(4, 4, "nearly", {}))
    assert job.progress.eta_s == 0
    assert not job.partial.arrays["mean"].flags.writeable


def test_waiting_for_a_job_wakes_up_with_its_end():
    pool = FakePool(1)
    table = JobTable(pool)
    (job,) = asks(table, "a")
    assert job.wait(0.01) is False
    threading.Timer(0.05, pool.end, ["a"]).start()
    assert job.wait(10) is True


def test_after_close_every_job_has_ended_and_no_more_are_taken():
    table = JobTable(FakePool(1))
    jobs = asks(table, "a", "b")
    table.close()
    assert states(jobs) == ["cancelled"] * 2
    assert table.counts.submitted == table.counts.ended
    with pytest.raises(WorkerError, match="shutting down"):
        asks(table, "c")


def test_only_the_last_keys_are_remembered():
    pool = FakePool(1)
    table = JobTable(pool, keys_kept=3)
    for name in "abcde":
        asks(table, name)
        pool.end(name)
    assert [bool(table.latest(("s", name))) for name in "abcde"] == [False, False, True, True, True]


def test_the_last_jobs_hold_no_more_than_their_share_of_memory():
    pool = FakePool(1)
    table = JobTable(pool, memory_mib=1)
    for name in "abcde":
        asks(table, name)
        pool.end(name, words="x" * 300_000)
    kept = [table.latest(("s", name)) for name in "abcde"]
    assert [job is not None for job in kept] == [False, True, True, True, True]
    assert kept[4].state == "done"


def test_what_was_known_before_a_crash_stays_and_is_gone_on_from():
    pool = FakePool(1)
    table = JobTable(pool)
    (first,) = asks(table, "map")
    pool.runs()[0].on_news(News(1, 4, "", {"values": np.ones(3)}, {"done": 1}))
    pool.end("map", "failed", WorkerError("The worker ended."))
    assert (first.state, first.partial.message) == ("failed", {"done": 1})
    second = table.retry(first)
    assert (second.partial, pool.given) == (first.partial, {"begun": {"done": 1}})
    pool.end("map", "failed", WorkerError("The worker ended."))  # before it told anything new
    third = table.retry(second)
    assert (third.partial, pool.given) == (first.partial, {"begun": {"done": 1}})
    pool.end("map", done=4)
    assert (third.result.message, third.partial) == ({"done": 4}, None)


def test_nothing_stays_of_a_map_that_was_wrong():
    pool = FakePool(1)
    (job,) = asks(JobTable(pool), "map")
    pool.runs()[0].on_news(News(1, 4, "", {"values": np.ones(3)}, {"done": 1}))
    pool.end("map", "failed", SettingError("It overflowed."))
    assert (job.state, job.partial) == ("failed", None)


def test_the_beginning_of_a_longer_map_is_not_shown_as_part_of_it():
    pool = FakePool(1)
    begun = jobs.Result({"done": 4}, {}, "the fingerprint of a shorter one", 0.0)
    job = JobTable(pool).submit(("s", "map"), Request("longer", begun=begun))
    assert (job.partial, pool.given) == (None, {"begun": {"done": 4}})


def test_stopped_maps_and_pictures_count_as_held():
    pool = FakePool(1)
    table = JobTable(pool, memory_mib=1)
    for name in "abcde":
        picture = np.full(20_000, ord(name), np.uint8)
        job = table.submit(("s", name), Request(name, {}, {"image": picture}))
        pool.runs()[0].on_news(News(1, 2, "half", {"values": np.zeros(35_000)}))
        table.cancel(job)
        pool.end(name)
        assert job.partial is not None
    kept = [table.latest(("s", name)) for name in "abcde"]
    assert [job is not None for job in kept] == [False, True, True, True, True]
    table.forget("s")
    assert not any(table.latest(("s", name)) for name in "abcde")


@pytest.mark.parametrize("field", ["done", "total"])
@pytest.mark.parametrize("value", [10**400, -(10**400), 1e31])
def test_a_progress_that_nobody_can_compute_with_is_refused(field, value):
    with pytest.raises(FrameError, match=field):
        read_news({"done": 1, "total": 2, "message": "half", field: value}, {})


def test_who_joins_late_sees_how_far_it_is():
    pool = FakePool(1)
    table = JobTable(pool)
    asks(table, "a", session="A")
    pool.runs()[0].on_news(News(1, 2, "half", {}))
    (job,) = asks(table, "a", session="B")
    assert job.progress.message == "half"


def test_results_stay_below_their_bound_and_the_least_recent_goes_first():
    held = Results(2500)
    made = [Result({}, {"x": np.zeros(100)}, str(i), 0.0) for i in range(4)]  # 802 bytes each
    for result in made[:3]:
        held.put(result)
    assert held.get("0") is made[0]
    held.put(made[3])
    assert [held.get(str(i)) for i in range(4)] == [made[0], None, made[2], made[3]]
    held.put(Result({}, {"x": np.zeros(1000)}, "large", 0.0))
    assert held.get("large") is None
    held.put(made[0])
    assert (len(held), held.nbytes) == (3, 3 * 802)


# the same on real workers


def test_a_job_comes_back_with_its_arrays_read_only(table):
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    job = table.submit(("s", "map"), Request("echo", {"name": "K\u00e4fer"}, {"image": image}), "echo")
    assert job.wait(10)
    assert job.result.message == {"name": "K\u00e4fer"}
    assert np.array_equal(job.result.arrays["image"], image)
    assert not job.result.arrays["image"].flags.writeable


def test_progress_streams_and_a_cancel_is_heard_between_two_reports(table):
    job = table.submit(("s", "map"), Request("steps", {"count": 1000, "pause": 0.01}))
    assert until(lambda: job.progress is not None and job.progress.done >= 2, 10)
    assert job.partial.arrays["sum"][0] >= 2
    pids = {worker.pid for worker in table.pool.status().workers}
    table.cancel(job)
    assert (job.state, job.wait(0)) == ("cancelled", True)
    assert until(lambda: not table.pool.runs(), 1)
    assert {worker.pid for worker in table.pool.status().workers} == pids


def test_ten_quick_submits_on_real_workers_compute_at_most_two(table):
    jobs = [table.submit(("s", "map"), Request("steps", {"count": 3, "n": n})) for n in range(10)]
    assert jobs[-1].wait(10)
    assert table.counts.computed <= 2
    assert jobs[-1].result.message == {"steps": 3}
