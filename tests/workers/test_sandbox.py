"""What a confined worker may do and what it may not, tried from inside it and looked at from outside."""

import json
import os
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from saliency_core.workers import sandbox
from saliency_core.workers.process import confined_environment
from saliency_core.workers.remote import Remote
from saliency_core.workers.syscalls import DENIED, LOOKED_AT, filter_program, numbers
from tests.workers.conftest import HOSTILE

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    (folder / "secret").write_text("planted")
    (folder / "model").mkdir()
    (folder / "model" / "graph").write_text("a model")
    return folder


@pytest.fixture(scope="module")
def remote(place):
    with Remote.start(place / "model", HOSTILE) as made:
        yield made


def facts(path):
    """All that is known of a file, save when it was last looked at."""
    found = os.stat(path)
    return found.st_mode, found.st_uid, found.st_nlink, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def tried(remote, way, **params):
    return remote.call("attempt", {"way": way, **params})[0]


@pytest.mark.parametrize(
    "way", ["read", "read by descriptor", "append", "write", "unlink", "truncate", "chmod"]
)
@pytest.mark.parametrize("how", ["plain", "by a way around"])
def test_a_file_outside_can_neither_be_read_nor_changed(remote, place, way, how):
    path = place / "secret"
    if how == "by a way around":
        path = place / "model" / ".." / "secret"
    before = facts(place / "secret")
    assert "refused" in tried(remote, way, path=str(path))
    assert (place / "secret").read_text() == "planted"
    assert facts(place / "secret") == before


@pytest.mark.parametrize("way", ["chown", "utime", "rename", "link", "symlink", "list", "mkdir", "write"])
def test_nothing_else_can_be_done_to_what_lies_outside(remote, place, way):
    target = place / ("new" if way in ("mkdir", "write") else "secret")
    before = facts(place), facts(place / "secret")
    if way == "list":
        target = place
    assert "refused" in tried(remote, way, path=str(target))
    assert sorted(os.listdir(place)) == ["model", "secret"]
    assert (facts(place), facts(place / "secret")) == before


@pytest.mark.parametrize(
    "way", ["write", "append", "truncate", "unlink", "chmod", "utime", "rename", "fchmod"]
)
def test_the_model_itself_can_be_read_and_not_changed(remote, place, way):
    model = place / "model" / "graph"
    before = facts(model)
    assert tried(remote, "read", path=str(model)) == {"got": "a model"}
    assert tried(remote, "list", path=str(place / "model")) == {"got": "['graph']"}
    assert "refused" in tried(remote, way, path=str(model))
    assert model.read_text() == "a model"
    assert facts(model) == before


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/proc/1/cmdline", "/proc/self/environ", str(ROOT / "README.md")]
)
def test_the_system_and_the_program_around_are_closed(remote, path):
    assert "refused" in tried(remote, "read", path=path)


def test_it_cannot_reach_a_listener_on_this_machine(remote):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        assert "refused" in tried(remote, "connect", port=listener.getsockname()[1])
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    "way",
    [
        "listen",
        "unix",
        "exec",
        "run",
        "fork",
        "session",
        "outlive",
        "shared memory",
        "large file",
        "raise a limit",
    ],
)
def test_it_stays_alone_and_within_its_limits(remote, way):
    pid = remote.pid
    assert "refused" in tried(remote, way)
    assert remote.call("who")[0]["pid"] == pid


@pytest.mark.parametrize(
    "way",
    [
        "signal",
        "signal the group",
        "signal by file",
        "limit",
        "renice",
        "environment of the parent",
        "ptrace",
    ],
)
def test_its_parent_is_out_of_reach(remote, way):
    assert "refused" in tried(remote, way, parent=os.getpid())
    assert os.getpriority(os.PRIO_PROCESS, 0) < 19


def test_open_files_are_counted(place):
    with Remote.start(place / "model", HOSTILE) as remote:
        assert "refused" in tried(remote, "many files")


def test_secrets_in_the_environment_are_not_passed_on(place, monkeypatch):
    monkeypatch.setenv("SALIENCY_TOKEN", "planted")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:planted@proxy")
    with Remote.start(place / "model", HOSTILE) as remote:
        seen = remote.call("who")[0]["environment"]
        assert not [name for name, value in seen.items() if "planted" in value]
        assert seen["HOME"] == seen["TMPDIR"] == seen["KERAS_HOME"] != os.environ.get("HOME")


def test_the_environment_is_a_list_of_what_is_allowed():
    given = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "LANG": "C.UTF-8",
        "AWS_KEY": "x",
        sandbox.UNCONFINED: "allow",
    }
    kept = confined_environment(given, "/scratch")
    assert {"PATH", "AWS_KEY"}.isdisjoint(kept)
    assert (kept["HOME"], kept["LANG"], kept[sandbox.UNCONFINED]) == ("/scratch", "C.UTF-8", "allow")


def test_scratch_is_private_and_goes_with_the_process_whatever_lies_in_it(place):
    with Remote.start(place / "model" / "graph", HOSTILE) as remote:
        answer = remote.call("scratch", {"depth": 700})[0]
        assert answer["seen"] == ["mine", "0o700", "a model"]
        assert stat.S_IMODE(os.stat(answer["folder"]).st_mode) == 0o700
        assert set(answer["held"]) >= sandbox.REQUIRED
    assert not Path(answer["folder"]).exists()
    assert not Path(answer["folder"]).parent.exists()
    assert (place / "model" / "graph").read_text() == "a model"


def test_numpy_is_not_loaded_when_the_worker_shuts_itself_in():
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from saliency_core.workers import boot, sandbox; "
        "print([m for m in ('numpy', 'tensorflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_worker_that_is_not_confined_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "_held", frozenset({"limits"}))
    monkeypatch.delenv(sandbox.UNCONFINED, raising=False)
    assert not sandbox.graphs_allowed()
    monkeypatch.setenv(sandbox.UNCONFINED, "allow")
    assert sandbox.graphs_allowed()


def test_what_the_system_refuses_is_missing_from_what_holds(monkeypatch, tmp_path):
    def refuse(*arguments):
        raise OSError("not here")

    for step in ("_limit", "_leave_network", "_drop_capabilities", "_landlock", "_filter", "_prctl"):
        monkeypatch.setattr(sandbox, step, refuse)
    monkeypatch.setattr(sandbox, "_held", frozenset())
    assert sandbox.enter(sandbox.Confinement((), str(tmp_path))) == sandbox.held() == frozenset()


# the filter


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", 0xC000003E), ("aarch64", 0xC00000B7)])
def test_the_filter_decides_each_call(machine, arch):
    program = filter_program(machine, pid=77)
    allow, kill, eperm, enosys = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
    denied, looked_at = numbers(DENIED, machine), numbers(LOOKED_AT, machine)
    assert all(run(program, arch, number) == eperm for number in denied.values())
    assert run(program, 0x40000003, 1) == kill  # 32-bit calls
    assert run(program, arch, 451) == run(program, arch, 0x40000000 + 41) == enosys
    free = set(range(451)) - set(denied.values()) - set(looked_at.values())
    assert all(run(program, arch, number) == allow for number in free)
    expected = {
        ("clone", (0x1200011,)): eperm,
        ("clone", (0x4111,)): eperm,
        ("clone", (0x7D0F00,)): allow,
        ("clone3", (0,)): enosys,
        ("kill", (77,)): allow,
        ("kill", (0,)): eperm,
        ("kill", (76,)): eperm,
        ("kill", (2**32 - 77,)): eperm,
        ("tgkill", (77,)): allow,
        ("tgkill", (1,)): eperm,
        ("prlimit64", (0,)): allow,
        ("prlimit64", (1,)): eperm,
        ("fcntl", (3, 1)): allow,
        ("fcntl", (3, 8)): eperm,
        ("prctl", (15,)): allow,
        ("prctl", (1,)): eperm,
        ("mmap", (0, 1, 1, 0x22)): allow,
        ("mmap", (0, 1, 1, 0x21)): eperm,
        ("mmap", (0, 1, 1, 0x01)): allow,
    }
    for (name, arguments), verdict in expected.items():
        assert run(program, arch, looked_at[name], arguments) == verdict, (name, arguments)


def run(program, arch, number, arguments=()):
    """Run a filter on one call, as the kernel does."""
    padded = (*arguments, *[0] * (6 - len(arguments)))
    shown = struct.pack("<IIQ6Q", number, arch, 0, *padded)
    steps = list(struct.iter_unpack("=HBBI", program))
    value, at = 0, 0
    while True:
        code, if_true, if_false, constant = steps[at]
        at += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            (value,) = struct.unpack_from("<I", shown, constant)
        else:
            test = {0x15: value == constant, 0x25: value > constant, 0x45: bool(value & constant)}[code]
            at += if_true if test else if_false


def test_the_table_agrees_with_the_headers_of_this_system():
    headers = sorted(Path("/usr/include").glob("**/asm/unistd_64.h"))
    if not headers or os.uname().machine != "x86_64":
        pytest.skip("the kernel's headers are not installed")
    rows = [line.split() for line in headers[0].read_text().splitlines() if line.startswith("#define __NR_")]
    known = {row[1].removeprefix("__NR_"): int(row[2]) for row in rows}
    for name, number in {**numbers(DENIED, "x86_64"), **numbers(LOOKED_AT, "x86_64")}.items():
        assert known[name] == number, name


def test_other_machines_have_no_filter():
    with pytest.raises(KeyError):
        filter_program("riscv64", 1)


# the real thing

GRADIENT = """
import json, sys, time
sys.path.insert(0, {root!r})
from saliency_core.workers import boot, sandbox
sys.argv[1:]
boot.confine({confinement!r}, "saliency_core.workers.tasks")
import tensorflow as tf
x = tf.constant([[1.0, 2.0, 3.0, 4.0]])
image = tf.reshape(tf.ones(16), (1, 4, 4, 1))
with tf.GradientTape() as tape:
    tape.watch(image)
    y = tf.nn.conv2d(image, tf.ones((3, 3, 1, 1)), 1, "SAME")
seed = tf.one_hot(5, 16)
print(json.dumps([sorted(sandbox.held()), tape.gradient(y, image, tf.reshape(seed, y.shape))[0, :, :, 0].numpy().tolist()]))
"""


@pytest.mark.engine
@pytest.mark.parametrize("user", ["this", "nobody"])
def test_tensorflow_computes_the_gradient_inside(tmp_path_factory, user):
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder, "scratch")
        scratch.mkdir(0o700)
        command = [sys.executable, "-I", "-c"]
        if user == "nobody":
            if (
                os.geteuid() != 0
                or not shutil.which("setpriv")
                or not readable_by_all(sys.prefix, sys.base_prefix)
            ):
                pytest.skip("needs root, setpriv and a Python that everybody may use")
            os.chmod(folder, 0o755)
            os.chown(scratch, 65534, 65534)
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
        confinement = sandbox.Confinement((), str(scratch))
        code = GRADIENT.format(root=str(ROOT), confinement=confinement.spelled())
        environment = confined_environment(os.environ, str(scratch))
        done = subprocess.run([*command, code], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr[-2000:]
        held, gradient = json.loads(done.stdout.splitlines()[-1])
        assert set(held) >= sandbox.REQUIRED
        assert gradient == [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]


def readable_by_all(*paths):
    """Whether every folder on the way may be passed by anybody."""
    return all(
        os.stat(part).st_mode & 0o005 == 0o005 for path in paths for part in [Path(path), *Path(path).parents]
    )


def test_entering_costs_milliseconds(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from saliency_core.workers import sandbox; import time; "
        f"began = time.perf_counter(); sandbox.enter(sandbox.Confinement((), {str(tmp_path)!r})); "
        "print(time.perf_counter() - began)"
    )
    spent = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
        spent.append(float(done.stdout))
        time.sleep(0.05)
    assert min(spent) < 0.1
