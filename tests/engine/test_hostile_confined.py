"""What a hostile file can do where it gets past the gate: nothing outside its process.

First the sandbox alone: plain loaders open, call and differentiate every file that carries a payload, in a
confined process. Then the way of the lab, gate and sandbox together, over the whole corpus.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from saliency_core.errors import ModelError, WorkerError
from saliency_core.workers.pool import TASKS
from saliency_core.workers.private import PrivateLimits
from saliency_core.workers.remote import Remote
from tests.engine.hostile import corpus
from tests.engine.hostile.acting import acting
from tests.workers.conftest import until

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's"),
]
ROOT = Path(__file__).resolve().parents[2]
PLAIN = "tests.engine.hostile.plain_tasks"
SECRET = "a planted secret"
PAYLOADS = (
    "write_file", "print_to_file", "save_v2", "save", "debug_to_file", "debug_to_network", "dump", "read_file",
    "matching_files", "text_lines", "records", "restore_v2", "table_from_file", "remap_matrix", "region", "summary",
)  # fmt: skip
PLACES = (
    "in_function", "two_functions_deep", "in_branch", "in_case", "in_attribute_of_attribute", "in_old_call",
    "in_registered_gradient", "in_old_gradient", "behind_symbolic_gradient", "behind_map", "unused_node",
)  # fmt: skip
STARTING = (
    "main_op", "calls_its_restorer", "function_calls_its_saver", "signature_is_the_saver", "restores_a_secret",
    "restores_a_neighbour", "restorer_writes", "asset_upward", "asset_read", "path_beside_its_saver",
)  # fmt: skip
ENDING = {  # each ends its process for certain, by itself or at the limit, in seconds
    "graph_abort": 30.0,
    "saved_model_quiet_exit": 30.0,
    "graph_recursion": 30.0,
    "graph_sleep": 2.0,
    "graph_endless_loop": 2.0,
}
GROWING = (
    "graph_fill_bomb",
    "graph_tile_bomb",
    "graph_constant_bomb",
    "graph_resize_bomb",
    "h5_weights_shape_bomb",
)
CARRYING = (
    *(f"{family}_{name}" for family in ("graph", "saved_model") for name in (*PAYLOADS, *PLACES)),
    *(f"saved_model_{name}" for name in STARTING),
    *(f"keras_{name}" for name in (
        "lambda", "lambda_of_a_public_function", "dead_switch", "reader_stringlookup", "reader_integerlookup",
        "reader_textvectorization", "carrier_tfsmlayer", "function_os_system", "function_load_model",
        "function_get_file", "function_unsafe_switch",
    )),
    "h5_lambda", "h5_custom_function", "other_model.pkl", "other_new_torch",
)  # fmt: skip


class Watch:
    """A place outside: a secret, a folder where nothing may appear, and a listener that nobody may reach."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.secret = folder / "secret.txt"
        self.secret.write_text(f"{SECRET}\n")
        self.marker = folder / "marker"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def effects(self, told: object = "") -> list[str]:
        """What has happened outside, and whether an answer holds the secret."""
        found = [name for name in sorted(os.listdir(self.folder)) if name != self.secret.name]
        if self.secret.read_text() != f"{SECRET}\n":
            found.append("the secret was changed")
        if SECRET in str(told):
            found.append("the secret came back")
        return found + ["a connection arrived"] * bool(self.connections)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def watch(place):
    made = Watch(place / "outside")
    yield made
    made.close()


@pytest.fixture(scope="module")
def cases(place, watch):
    return {case.name: case for case in corpus(place / "corpus", watch.marker)}


def stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and the time of its last change."""
    found = {}
    for path in sorted(folder.rglob("*")):
        told = path.lstat()
        found[str(path)] = (told.st_size, told.st_mtime_ns)
    return found


class Confined:
    """A confined process for the files of one folder, started anew when it has died."""

    def __init__(self, folder: Path, good: str, limits: PrivateLimits) -> None:
        self.folder, self.good, self.limits = folder, good, limits
        self.deaths: dict[str, str] = {}
        self._start()

    def _start(self) -> None:
        self.remote = Remote.start(self.folder, PLAIN, self.limits)
        told, _ = self.remote.call("plain", {"file": self.good})
        assert "out" in told, told  # the next good job runs
        assert "gradient" in told, told

    def open(self, path: Path, seconds: float = 30.0) -> object:
        """Open a file, with so much time; answers with what came of it."""
        given = {"file": str(path.relative_to(self.folder))}
        self.remote._limits = replace(self.limits, wall_s=seconds)
        try:
            return self.remote.call("plain", given)[0]
        except WorkerError as error:
            if self.remote._end.alive:
                return str(error)
            self.deaths[path.stem] = error.problem
            self.remote.close()
            self._start()
            return str(error)


def test_without_a_sandbox_they_act(tmp_path):
    """The same files, tasks and watch, and nothing that holds them: every kind of effect is seen."""
    watch = Watch(tmp_path / "outside")
    files = acting(tmp_path / "files", watch.marker, watch.secret, watch.port)
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from pathlib import Path\n"
        f"from {PLAIN} import opened\n"
        "for name in sys.argv[1:]:\n"
        "    print(name, opened(Path(name)), flush=True)\n"
    )
    log = tmp_path / "log"
    with log.open("wb") as stream:
        command = [sys.executable, "-c", code, *map(str, files)]
        process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=tmp_path)
        assert until(lambda: watch.connections >= 2, 90), log.read_text()
        process.kill()
        process.wait()
    told = log.read_text()
    seen = watch.effects(told)
    watch.close()
    for ending in ("gradient", "loading", "python", "python_run", "pickle"):
        assert f"marker_{ending}" in seen, told
    assert "a connection arrived" in seen
    length = float(len(SECRET) + 1)
    assert f"[[[[{length / 64:.6}"[:10] in told.split("gradient_reads")[1]  # the gradient tells of it


def test_the_sandbox_alone_lets_nothing_out(place, watch, cases, capsys):
    folder = place / "corpus"
    *files, waiting = acting(folder / "acting", watch.marker, watch.secret, watch.port)
    files += [cases[name].path for name in (*CARRYING, *GROWING)]
    endings = {waiting: 3.0, **{cases[name].path: seconds for name, seconds in ENDING.items()}}
    before = stamps(folder)
    good = str(cases["graph_honest"].path.relative_to(folder))
    confined = Confined(folder, good, PrivateLimits(memory_mib=1500))
    acted = []
    try:
        for path in files:
            acted += [(path.name, effect) for effect in watch.effects(confined.open(path))]
        for path, seconds in endings.items():
            acted += [(path.name, effect) for effect in watch.effects(confined.open(path, seconds))]
    finally:
        confined.remote.close()
    with capsys.disabled():
        tried, deaths = len(files) + len(endings), confined.deaths
        print(f"\nsandbox alone: effects outside {len(acted)} of {tried}, deaths of workers {len(deaths)}")
        for name, why in deaths.items():
            print(f"  {name}: {why}")
    assert acted == []
    assert stamps(folder) == before
    assert len(files) >= 90
    assert set(deaths) >= {path.stem for path in endings}


def test_what_they_tried_was_refused_by_the_system(place, watch, cases):
    """They did run: each act on its own ended in a refusal by the kernel."""
    folder = place / "corpus"
    files = {path.name: path for path in acting(folder / "tried", watch.marker, watch.secret, watch.port)}
    good = str(cases["graph_honest"].path.relative_to(folder))
    confined = Confined(folder, good, PrivateLimits(wall_s=20.0))
    for name in (
        "gradient_writes", "gradient_reads", "loading_writes", "loading_reads", "lambda_writes.keras",
        "lambda_reads.keras", "lambda_connects.keras", "lambda_runs.keras", "act.pkl",
    ):  # fmt: skip
        told = str(confined.open(files[name]))
        assert "Permission" in told or "Operation not permitted" in told, (name, told)
        if name.startswith("gradient"):
            assert "'second serving_default'" in told  # what comes before the gradient went well
    for name in ("write_file", "read_file", "table_from_file", "in_branch"):
        assert "PermissionDenied" in str(confined.open(cases[f"graph_{name}"].path)), name
    confined.remote.close()
    assert watch.effects() == []


def test_gate_and_sandbox_refuse_the_whole_corpus_before_anything_runs(place, watch, cases, capsys):
    folder = place / "corpus"
    before = stamps(folder)
    remote = Remote.start(folder, TASKS, PrivateLimits(wall_s=60.0))
    pid, scratch = remote.pid, remote._upload["scratch"]
    odd, stopped = [], []
    for case in cases.values():
        remote._upload = {"path": str(case.path), "scratch": scratch}  # one process for all, to be quick
        told = outcome(remote, case.path.name)
        if " was not opened: " in told:
            stopped.append(case)
        if case.expect == "refuse" and (case not in stopped or "\n" in told):
            odd.append((case.name, told))
        assert watch.effects(told) == [], case.name
    hostile = [case for case in cases.values() if case.expect == "refuse"]
    stopped = [case for case in stopped if case.expect == "refuse"]
    with capsys.disabled():
        print(
            f"\ngate and sandbox: refused before anything ran {len(stopped)} of {len(hostile)}; effects outside 0"
        )
    assert odd == []
    assert len(stopped) >= 0.99 * len(hostile)
    assert {case.name.split("_")[0] for case in stopped} == {
        "graph",
        "saved",
        "keras",
        "h5",
        "archive",
        "other",
    }
    assert remote.pid == pid
    remote._upload = {"path": str(cases["graph_honest"].path), "scratch": scratch}
    remote.call("lay_open", {"name": "honest"})
    found = remote.call("run", {"form": form()}, {"0": np.ones((1, 8, 8, 3), np.float32)})[1]
    assert found["0"].shape == (1, 4)
    remote.close()
    assert stamps(folder) == before


def outcome(remote: Remote, name: str) -> str:
    """Open the remote's file the way of the lab; answers with how that ended."""
    try:
        remote.call("lay_open", {"name": name})
    except ModelError as error:
        return str(error)
    return "opened"


def form() -> dict[str, object]:
    return {"kind": "read", "tensors": ["softmax:0"], "rows": 1, "at": "", "rule": "", "double": False}
