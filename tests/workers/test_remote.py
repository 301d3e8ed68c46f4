"""A plain program asks one confined worker: same answers, same errors, and an end in every case."""

import gc
import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from saliency_core.errors import Cancelled, ImageError, ModelError, WorkerError
from saliency_core.workers.private import PrivateLimits
from saliency_core.workers.remote import Remote
from saliency_core.workers.run import CrashError
from tests.workers.conftest import HOSTILE, TOYS, interrupted_after, until
from tests.workers.test_faults import alive

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("remote") / "model.keras"
    path.write_text("a model")
    return path


@pytest.fixture(scope="module")
def remote(model):
    with Remote.start(model, TOYS) as made:
        yield made


def test_a_call_returns_what_the_task_returns(remote, model):
    given = np.arange(12.0).reshape(3, 4)
    message, arrays = remote.call("echo", {"n": 1}, {"x": given})
    assert message["n"] == 1
    assert message["upload"]["path"] == str(model)
    assert np.array_equal(arrays["x"], given)


def test_a_relative_path_is_found(model, monkeypatch):
    monkeypatch.chdir(model.parent)
    with Remote.start("model.keras", HOSTILE) as remote:
        assert remote.call("scratch")[0]["seen"][2] == "a model"


def test_errors_keep_their_class_and_words_and_the_process_goes_on(remote):
    with pytest.raises(ImageError, match="upside down"):
        remote.call("wrong_image")
    with pytest.raises(CrashError, match="failed unexpectedly"):
        remote.call("surprise")
    with pytest.raises(WorkerError, match="no task"):
        remote.call("unheard_of")
    assert remote.call("echo")


def test_progress_is_told_and_a_callback_that_raises_stops_the_task(remote):
    seen = []
    remote.call("steps", {"count": 3}, on_progress=lambda *news: seen.append(news))
    assert seen == [(step, 3, f"step {step}") for step in range(3)]

    def stop(done, total, words):
        raise Cancelled("enough")

    began = time.monotonic()
    with pytest.raises(Cancelled, match="enough"):
        remote.call("steps", {"count": 1000}, on_progress=stop)
    assert time.monotonic() - began < 5
    assert remote.call("steps", {"count": 1})[0] == {"steps": 1}


def test_shared_work_is_done_by_the_one_process(remote):
    x = np.arange(6.0).reshape(3, 2)
    message, arrays = remote.call("shared", {}, {"x": x})
    assert message["workers"] == 1
    assert np.array_equal(arrays["squares"], x**2)


@pytest.mark.parametrize(
    ("task", "params", "sent", "words"),
    [
        ("die", {"how": "exit"}, b"", "exit code 0"),
        ("die", {"how": "abort"}, b"", "SIGABRT"),
        ("die", {"how": "stop"}, b"", "longer than 1 s"),
        ("hang", {}, b"", "longer than 1 s"),
        ("garble", {"leave": False}, struct.pack(">I", 2**32 - 1), "unreadable"),
        ("garble", {"leave": True}, b"\0\0\0\x20{", "unreadable"),
        ("frame", {"frame": {"type": "nonsense"}}, b"", "unknown type"),
        ("frame", {"frame": {"type": "done", "message": 3}}, b"", "'message'"),
    ],
)
def test_a_fault_is_one_clear_error_and_the_end_of_that_process(model, task, params, sent, words):
    remote = Remote.start(model, TOYS, PrivateLimits(wall_s=1.0))
    with pytest.raises(WorkerError, match=words):
        remote.call(task, params, {"bytes": np.frombuffer(sent, np.uint8)})
    with pytest.raises(WorkerError, match="has ended"):
        remote.call("echo")
    assert until(lambda: not alive(remote.pid), 5)


def test_memory_above_the_limit_is_one_error(model):
    with Remote.start(model, TOYS, PrivateLimits(memory_mib=300)) as remote:
        if sys.platform == "linux":
            with pytest.raises(WorkerError, match="out of memory"):
                remote.call("hungry", {"mib": 1000})
        assert remote.call("echo")


def test_a_process_that_talks_unasked_is_ended_with_the_remote(model):
    remote = Remote.start(model, HOSTILE)
    os.kill(remote.pid, 0)
    remote._process.send(
        {"type": "run", "run": 99, "task": "talk", "params": {"seconds": 30}, "alone": True}, {}
    )
    assert until(remote._inbox.full, 10)
    began = time.monotonic()
    remote.close()
    assert time.monotonic() - began < 4
    assert not alive(remote.pid)


def test_what_is_not_there_is_said_before_anything_starts(tmp_path):
    with pytest.raises(ModelError, match="no file or folder"):
        Remote.start(tmp_path / "missing.keras", TOYS)


@pytest.mark.parametrize("tasks", ["tests.workers.toys_broken", "tests.workers.nowhere"])
def test_a_process_that_cannot_start_is_an_error(model, tasks):
    with pytest.raises(WorkerError, match="ended in the middle"):
        Remote.start(model, tasks)
    with pytest.raises(WorkerError, match="did not start in time"):
        Remote.start(model, TOYS, PrivateLimits(start_s=0.0))


def test_it_ends_when_it_is_closed_and_when_it_is_forgotten(model):
    closed, forgotten = Remote.start(model, TOYS), Remote.start(model, TOYS)
    pids = closed.pid, forgotten.pid
    folders = [Path(each._upload["scratch"]).parent for each in (closed, forgotten)]
    closed.close()
    closed.close()
    del forgotten
    gc.collect()
    assert until(lambda: not any(alive(pid) for pid in pids), 5)
    assert not any(folder.exists() for folder in folders)
    assert model.exists()


def test_it_outlives_the_thread_that_started_it(model):
    made = []
    thread = threading.Thread(target=lambda: made.append(Remote.start(model, TOYS)))
    thread.start()
    thread.join()
    time.sleep(0.1)
    assert made[0].call("echo")
    made[0].close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("end", ["sys.exit(0)", "raise RuntimeError", "os.kill(os.getpid(), 9)"])
def test_it_ends_with_the_program_however_that_ends(model, end):
    code = f"""
        import os, sys
        sys.path.insert(0, {str(ROOT)!r})
        from saliency_core.workers.remote import Remote
        remote = Remote.start({str(model)!r}, {TOYS!r})
        print(remote.pid, os.path.dirname(remote._upload["scratch"]), flush=True)
        {end}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=30
    )
    pid, folder = done.stdout.split()
    assert until(lambda: not alive(int(pid)), 5)
    assert done.returncode == -signal.SIGKILL or not Path(folder).exists()
    if Path(folder).exists():  # nobody was left to remove it: the next program does, after a while
        assert list(Path(folder).iterdir())
        subprocess.run(["rm", "-r", folder], check=True)


def test_the_keyboard_stops_a_call_and_the_process_stays(remote):
    with interrupted_after(0.3), pytest.raises(KeyboardInterrupt):
        remote.call("steps", {"count": 1000})
    assert remote.call("echo")
