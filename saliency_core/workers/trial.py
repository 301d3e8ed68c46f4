"""Tries to break out of the sandbox, from inside a process made for nothing else.

Each attempt returns when it was let through and raises when it was refused. None does harm if it succeeds.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from saliency_core.workers import boot
from saliency_core.workers.sandbox import MIB
from saliency_core.workers.syscalls import DENIED, ENOSYS, EPERM, numbers

RARE = (
    "ptrace",
    "io_uring_setup",
    "mount",
    "unshare",
    "setns",
    "bpf",
    "keyctl",
    "perf_event_open",
    "memfd_create",
)
GET_DEATH_SIGNAL, GET_NO_NEW_PRIVS = 2, 39


class HeldError(Exception):
    """The attempt was refused."""


@dataclass(frozen=True)
class Plant:
    """What the server has laid out for the attempts."""

    secret: str  # a file beside the scratch folder
    outside: str  # the folder that holds it
    scratch: str
    port: int  # of a listener on this machine
    server: int  # its process id
    word: str  # hidden in the server's environment
    network: str  # its network namespace
    memory_mib: int
    file_mib: int


def read(plant: Plant) -> None:
    """Open a file that nobody gave away."""
    Path(plant.secret).read_bytes()


def write(plant: Plant) -> None:
    """Make, empty, move or link something outside the scratch folder."""
    _each(
        lambda: Path(plant.outside, "marker").write_bytes(b"written"),
        lambda: Path(plant.outside, "folder").mkdir(),
        lambda: os.truncate(plant.secret, 0),
        lambda: os.rename(plant.secret, plant.secret + " moved"),
        lambda: os.link(plant.secret, Path(plant.scratch, "link")),
    )


def change(plant: Plant) -> None:
    """Set the mode and the times of a file to what they are."""
    mode = os.stat(plant.secret).st_mode
    _each(lambda: os.chmod(plant.secret, mode), lambda: os.utime(plant.secret))


def peek(plant: Plant) -> None:
    """Look into the server process."""
    folder = Path("/proc", str(plant.server))
    _each(
        *(
            lambda name=name: open(folder / name, "rb").close()
            for name in ("environ", "mem", "maps", "cmdline")
        )
    )


def signal(plant: Plant) -> None:
    """Signal the server process, or limit it."""
    import resource

    _each(lambda: os.kill(plant.server, 0), lambda: resource.prlimit(plant.server, resource.RLIMIT_CORE))


def network(plant: Plant) -> None:
    """Connect to a listener on this machine, or listen."""
    _each(
        lambda: socket.create_connection(("127.0.0.1", plant.port), 2).close(),
        lambda: socket.create_server(("127.0.0.1", 0)).close(),
        lambda: socket.socketpair()[0].close(),
    )


def processes(plant: Plant) -> None:
    """Make another process."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def kernel(plant: Plant) -> None:
    """Make rare kernel calls, with nonsense as arguments."""
    table = numbers(DENIED, os.uname().machine)
    library = ctypes.CDLL(None, use_errno=True)
    for name in RARE:
        answer = library.syscall(ctypes.c_long(table[name]), *[ctypes.c_long(-1)] * 5)  # nonsense
        if answer >= 0 or ctypes.get_errno() not in (EPERM, ENOSYS):
            return
    raise HeldError


def memory(plant: Plant) -> None:
    """Take more memory than allowed, or memory that is not counted."""
    _each(lambda: bytearray(2 * plant.memory_mib * MIB), lambda: mmap.mmap(-1, MIB).close())


def file_size(plant: Plant) -> None:
    """Make a file larger than allowed."""
    with open(Path(plant.scratch, "large"), "wb") as file:
        file.truncate(2 * plant.file_mib * MIB)


def environment(plant: Plant) -> None:
    """Find the server's secret in the environment."""
    if plant.word not in os.environ.values():
        raise HeldError


def privileges(plant: Plant) -> None:
    """Look whether privileges could still be gained."""
    if ctypes.CDLL(None).prctl(GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1:
        raise HeldError


def orphan(plant: Plant) -> None:
    """Look whether this process would outlive the server."""
    found = ctypes.c_int(0)
    ctypes.CDLL(None).prctl(GET_DEATH_SIGNAL, ctypes.byref(found))
    if found.value == 9:
        raise HeldError


def namespace(plant: Plant) -> None:
    """Look whether this is the server's network."""
    if os.readlink("/proc/self/ns/net") != plant.network:
        raise HeldError


def programs(plant: Plant) -> None:
    """Start a program: the last attempt, for if it is let through this process says no more."""
    os.execv(sys.executable, [sys.executable, "-I", "-c", ""])


ATTEMPTS: tuple[Callable[[Plant], None], ...] = (
    read,
    write,
    change,
    peek,
    signal,
    network,
    processes,
    kernel,
    memory,
    file_size,
    environment,
    privileges,
    orphan,
    namespace,
    programs,
)


def main(arguments: list[str]) -> None:
    """Confine this process, unless the confinement is empty, and make the attempts; says how each went."""
    confinement, plant, parent = arguments[0], Plant(**json.loads(arguments[1])), int(arguments[2])
    boot.die_with(parent)
    if confinement:
        boot.confine(confinement, __name__)
    for attempt in ATTEMPTS:
        try:
            attempt(plant)
            holds = False
        except (HeldError, OSError, MemoryError):
            holds = True
        if attempt is not programs or holds:
            print(json.dumps([attempt.__name__, holds]), flush=True)


def _each(*ways: Callable[[], object]) -> None:
    """Return if any way is open; raise if all are shut."""
    for way in ways:
        try:
            way()
        except (OSError, MemoryError):
            continue
        return
    raise HeldError
