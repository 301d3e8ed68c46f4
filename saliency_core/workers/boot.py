"""The first lines of a worker process, before NumPy: its pipes, its end and its limits are set here."""

from __future__ import annotations

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


def main(arguments: list[str]) -> None:
    """Start a worker: arguments are the tasks' module, the parent's process id and a memory limit in MiB."""
    tasks, parent, memory = arguments[0], int(arguments[1]), int(arguments[2])
    pipes = protect_pipes()
    die_with(parent)
    limit_memory(memory)
    from saliency_core.workers.worker import serve

    serve(tasks, *pipes)
