"""Shuts a worker process in before it touches a stranger's model; only Linux can do it.

No new privileges; Landlock, so that it reads Python, its libraries and the one model, and writes one scratch
folder; a seccomp filter without network, programs, other processes and rare kernel calls; limits on memory,
files and processor time; no capabilities; and, where the system allows it, a network namespace of its own
with nothing in it. The first three, `REQUIRED`, are what the promise rests on; the others are a second wall.

Not held: that a file exists, its size and its owner can still be seen, by asking for exactly its name.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import struct
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from saliency_core.workers.syscalls import filter_program

MIB = 1 << 20
REQUIRED = frozenset({"no_new_privs", "landlock", "seccomp"})
UNCONFINED = "SALIENCY_GRAPHS_UNCONFINED"  # an operator sets it to "allow" to open graphs without REQUIRED

SET_SECCOMP, SET_NO_NEW_PRIVS, FILTER_MODE = 22, 38, 2
NEW_USER, NEW_NET, NEW_IPC = 0x10000000, 0x40000000, 0x08000000
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # Landlock's calls, the same on every machine
VERSION, PATH_BENEATH = 1, 1
OLDEST = 3  # the first version that also holds truncating, Linux 6.2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_DIR, MAKE_FILE, MOVE, TRUNCATE = 1 << 7, 1 << 8, 1 << 13, 1 << 14
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
READ = READ_FILE | READ_DIR
CHANGE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_FILE | MOVE | TRUNCATE
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}  # kinds of access that a version knows; from 5 on there are 16

LIBRARIES = ("/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache")
MACHINE = (
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
    "/proc/self/cmdline",
)  # TensorFlow asks
DEVICES = ("/dev/null", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Confinement:
    """What a confined process may read, where it may write, and how much it may take.

    `place` is a folder of its own where it may only read; it is removed with the scratch folder.
    """

    readable: tuple[str, ...]
    scratch: str
    memory_mib: int = 4096
    file_mib: int = 1024
    processor_s: int = 3600
    open_files: int = 256
    place: str = ""

    def spelled(self) -> str:
        """The same as text, for a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Confinement:
        """The opposite of `spelled`."""
        fields = json.loads(text)
        return cls(**{**fields, "readable": tuple(fields["readable"])})


_held: frozenset[str] = frozenset()


def held() -> frozenset[str]:
    """The names of the protections that this process has entered."""
    return _held


def graphs_allowed() -> bool:
    """Whether this process may open a stranger's graph: all of REQUIRED hold, or the operator said so."""
    return _held >= REQUIRED or os.environ.get(UNCONFINED) == "allow"


def enter(confinement: Confinement, code: Iterable[str] = ()) -> frozenset[str]:
    """Confine this process for good and return what holds; `code` are more folders it may read.

    Call it while there is one thread. It does not raise: what the system refuses is missing in the answer.
    """
    global _held
    limit = {"limits": lambda: _limit(confinement)} if os.name == "posix" else {}
    steps: dict[str, Callable[[], None]] = dict(limit)
    if sys.platform == "linux":
        steps |= {
            "namespace": _leave_network,
            "capabilities": _drop_capabilities,
            "no_new_privs": lambda: _prctl(SET_NO_NEW_PRIVS, 1),
            "landlock": lambda: _landlock(confinement, code),
            "seccomp": _filter,
        }
    done = set()
    for name, step in steps.items():
        with contextlib.suppress(OSError, ValueError, KeyError, AttributeError):
            step()
            done.add(name)
    _held = frozenset(done)
    return _held


def _limit(confinement: Confinement) -> None:
    import resource

    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # when the machine is out of memory, this process goes first
    with contextlib.suppress(OSError):
        os.nice(5)  # and when there are more processes than cores, it waits
    limits = {
        resource.RLIMIT_DATA: confinement.memory_mib * MIB,
        resource.RLIMIT_FSIZE: confinement.file_mib * MIB,
        resource.RLIMIT_CPU: confinement.processor_s,
        resource.RLIMIT_NOFILE: confinement.open_files,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
    }
    for kind, wanted in limits.items():
        _, hard = resource.getrlimit(kind)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (most, most))


def _leave_network() -> None:
    """Move to a namespace without a network; an ordinary user needs one for users around it."""
    uid, gid = os.geteuid(), os.getegid()
    maps = {"setgroups": "deny", "uid_map": f"{uid} {uid} 1", "gid_map": f"{gid} {gid} 1"}
    if uid != 0:
        _call("unshare", NEW_USER | NEW_NET | NEW_IPC)
        for name, text in maps.items():
            with contextlib.suppress(OSError), open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    else:
        _call("unshare", NEW_NET | NEW_IPC)


def _drop_capabilities() -> None:
    third_version = 0x20080522
    _call("capset", _bytes(struct.pack("=Ii", third_version, 0)), _bytes(bytes(24)))


def _landlock(confinement: Confinement, code: Iterable[str]) -> None:
    version = _landlock_call(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION)
    known = (1 << RIGHTS.get(version, 16)) - 1
    network = 3 if version >= 4 else 0  # binding and connecting by TCP
    scopes = 3 if version >= 6 else 0  # abstract sockets of others, signals to others
    sizes = struct.pack("=QQQ", known, network, scopes)[: 8 if version < 4 else 16 if version < 6 else 24]
    rules = _landlock_call(CREATE_RULESET, _bytes(sizes), ctypes.c_size_t(len(sizes)), 0)
    try:
        python = (sys.prefix, sys.base_prefix, sys.exec_prefix)
        for path in (
            *LIBRARIES,
            *MACHINE,
            *python,
            *code,
            *confinement.readable,
            *filter(None, (confinement.place,)),
        ):
            _allow(rules, path, READ & known)
        for path in DEVICES:
            _allow(rules, path, (READ_FILE | WRITE_FILE) & known)
        _allow(rules, confinement.scratch, CHANGE & known)
        _landlock_call(RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)
    if version < OLDEST:
        raise OSError("this version of Landlock leaves a way to empty files")


def _allow(rules: int, path: str, access: int) -> None:
    """Add a rule for a file, or a folder and all in it; what does not exist needs none."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = access if os.path.isdir(path) else access & ON_FILES
        rule = _bytes(struct.pack("=Qi", allowed, place))
        _landlock_call(ADD_RULE, rules, PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


def _filter() -> None:
    if sys.maxsize < 1 << 32:
        raise OSError("a filter for 64-bit calls would end a 32-bit process")
    program = filter_program(os.uname().machine, os.getpid())
    steps = _bytes(program)
    _prctl(SET_SECCOMP, FILTER_MODE, _bytes(struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))))


def _prctl(option: int, value: int, pointer: object = None) -> None:
    zero = ctypes.c_ulong(0)
    _call("prctl", option, ctypes.c_ulong(value), zero if pointer is None else pointer, zero, zero)


def _bytes(content: bytes) -> ctypes.Array[ctypes.c_char]:
    """Memory with exactly this content, for the kernel to read."""
    return ctypes.create_string_buffer(content, len(content))


def _landlock_call(number: int, *arguments: object) -> int:
    return _call("syscall", ctypes.c_long(number), *arguments)


def _call(name: str, *arguments: object) -> int:
    """Call the C library; OSError if it says that something went wrong."""
    answer: int = getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments)
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
    return answer
