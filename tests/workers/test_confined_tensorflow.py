"""TensorFlow computes inside the sandbox, and its operations with effects have none outside."""

import os
import socket
import sys

import numpy as np
import pytest

from saliency_core.errors import WorkerError
from saliency_core.models.opening import BUNDLED
from saliency_core.workers.jobs import JobTable, Request
from saliency_core.workers.private import PrivateLimits
from saliency_core.workers.remote import Remote
from tests.workers.conftest import toy_pool, until

TASKS = "tests.workers.toys_tensorflow"
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    (folder / "secret").write_text("planted")
    (folder / "model").write_text("a model")
    return folder


@pytest.fixture(scope="module")
def remote(place):
    with Remote.start(place / "model", TASKS, PrivateLimits(memory_mib=1000)) as made:
        yield made


def test_the_pixel_gradient_of_one_output_unit(remote):
    seed = np.zeros((1, 4, 4, 1), np.float32)
    seed[0, 1, 1, 0] = 1
    given = {"image": np.ones((1, 4, 4, 1), np.float32), "seed": seed}
    found = remote.call("gradient", {}, given)[1]["gradient"]
    assert found[0, :, :, 0].tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("way", ["read", "match", "lines", "write", "print", "save", "connect"])
def test_an_operation_with_an_effect_has_none(remote, place, way):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        params = {"way": way, "secret": str(place / "secret"), "outside": str(place / "marker")}
        answer = remote.call("op", {**params, "port": listener.getsockname()[1]})[0]
        assert "planted" not in str(answer)
        assert "refused" in answer or way in ("print", "match", "connect"), answer
        assert "secret" not in answer.get("got", "")
        with pytest.raises(TimeoutError):
            listener.accept()
    assert sorted(os.listdir(place)) == ["model", "secret"]
    assert (place / "secret").read_text() == "planted"


def test_an_operation_that_ends_the_process_costs_one_job():
    with toy_pool(1) as shared:  # only to see that nothing else is touched
        pid = shared.status().workers[0].pid
        with toy_pool(1, tasks=TASKS) as pool:
            table = JobTable(pool)
            given = pool.uploads.keep(b"a model", "pb")
            for quiet in (False, True):
                job = table.submit(("s", "map"), Request("abort", {"quiet": quiet}, upload=given))
                assert job.wait(60)
                assert isinstance(job.error, WorkerError)
                assert "ended in the middle" in job.error.problem
            assert pool.status().restarts == 0
        assert shared.status().workers[0].pid == pid


def test_the_real_tasks_give_the_same_numbers_inside_and_outside():
    image = np.random.default_rng(0).integers(0, 256, (28, 28, 1), np.uint8)
    asked = {"model": "digits", "target": "class_logit(7)", "method": "gradient()"}
    asked |= {"image_name": "noise", "image_digest": "0" * 64}
    with toy_pool(1, ready=0, tasks="saliency_core.workers.tasks") as pool:
        table = JobTable(pool)
        given = pool.uploads.keep((BUNDLED / "digits.pb").read_bytes(), "pb")
        requests = [Request("explain", asked, {"image": image}, upload=each) for each in (None, given)]
        jobs = [table.submit((f"s{number}", "map"), request) for number, request in enumerate(requests)]
        assert all(job.wait(120) for job in jobs)
        shared, confined = (job.result for job in jobs)
        assert np.array_equal(shared.arrays["values"], confined.arrays["values"])
        assert shared.message["score"] == confined.message["score"]
        assert shared.arrays["values"].any()
        assert [worker.state for worker in pool.status().private] == ["ready"]
        assert pool.wait_ready(120)
        pool.stand_by()  # one that has loaded TensorFlow before there was a model to read
        assert until(lambda: pool.status().standby.state == "ready", 120)
        waiting = pool.status().standby.pid
        later = pool.uploads.keep((BUNDLED / "digits.pb").read_bytes(), "pb")
        job = table.submit(("s2", "map"), Request("explain", asked, {"image": image}, upload=later))
        assert job.wait(120)
        assert waiting in [worker.pid for worker in pool.status().private]
        assert np.array_equal(job.result.arrays["values"], shared.arrays["values"])
