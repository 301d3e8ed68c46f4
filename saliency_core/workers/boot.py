"""The first lines of a worker process, before NumPy: its pipes, its end and its limits are set here."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from typing import BinaryIO


def protect_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the protocol's pipes away from stdin and stdout, so that a stray print goes to the log."""
    source, sink = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")


def die_with(parent: int) -> None:
    """Let the kernel end this process when its parent ends; elsewhere the closed pipe does it."""
    if sys.platform == "linux":
        import ctypes

        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)


def limit_memory(mib: int) -> None:
    """Let the data of this process grow to so many MiB; above it an allocation fails here and only here."""
    if mib and sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (mib << 20, mib << 20))


def confine(text: str, tasks: str) -> None:
    """Shut this process in; what it can then still import is Python, this package and its tasks."""
    import saliency_core
    from saliency_core.workers import sandbox

    root, package = sys.path[0], importlib.import_module(tasks.partition(".")[0])
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    code = {*saliency_core.__path__, *package.__path__, *sys.path, *libraries} - {root, ""}
    sys.dont_write_bytecode = True
    held = sandbox.enter(sandbox.Confinement.read(text), code)
    print(f"confined: {', '.join(sorted(held)) or 'nothing holds here'}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Start a worker: the tasks' module, the parent's process id, a memory limit in MiB, a confinement.

    Without a limit that is "0", without a confinement "".
    """
    tasks, parent, memory, confinement = arguments[0], int(arguments[1]), int(arguments[2]), arguments[3]
    pipes = protect_pipes()
    die_with(parent)
    if confinement:
        confine(confinement, tasks)
    else:
        limit_memory(memory)
    from saliency_core.workers.worker import serve

    serve(tasks, *pipes, warm=not confinement)
