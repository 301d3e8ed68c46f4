"""The parent's end of one worker process: its command, its pipes and the threads that serve them."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, BinaryIO, cast

from saliency_core.arrays import Array
from saliency_core.workers.frames import MIB, Arrays, FrameError, Limits, Message, pack, read_frame
from saliency_core.workers.private import remove_folder
from saliency_core.workers.sandbox import UNCONFINED, Confinement

log = logging.getLogger("saliency")

ROOT = Path(__file__).resolve().parents[2]  # the folder that holds saliency_core
BOOT = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from saliency_core.workers.boot import main; main(sys.argv[2:])"
)
FROM_WORKER = Limits(total_bytes=512 * MIB, finite=True)
FROM_CONFINED = Limits(header_bytes=4 * MIB, total_bytes=256 * MIB, arrays=1024, finite=True)

KEPT = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH", "KERAS_HOME"}
KEPT |= {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
KEPT_CONFINED = {"LANG", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH", UNCONFINED}
HOMES = ("HOME", "TMPDIR", "TEMP", "TMP", "KERAS_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
SET = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    **dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"),
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "KERAS_BACKEND": "tensorflow",
}
PACE = 4.0  # after a message of a confined worker its reader rests so many times as long as it took
LINES, WINDOW_S = 200, 10.0  # so many log lines of a worker are passed on in so many seconds
REST_S = 0.01  # and each line of a confined one that is not costs it so long


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """What a worker may see of the environment: an allow-list, and one thread for each library."""
    kept = {
        name: value
        for name, value in given.items()
        if name.upper() in KEPT or name.startswith(("LC_", "SALIENCY_"))
    }
    return {**kept, **SET}


def confined_environment(given: Mapping[str, str], scratch: str) -> dict[str, str]:
    """What the worker of a stranger's model may see of it: next to nothing, and its scratch as its home."""
    kept = {
        name: value
        for name, value in given.items()
        if name.upper() in KEPT_CONFINED or name.startswith("LC_")
    }
    return {**kept, **SET, **dict.fromkeys(HOMES, scratch), "CUDA_VISIBLE_DEVICES": "-1"}


class Process:
    """One worker process. `hear` gets each of its messages, `ended` its end, both on threads of its own.

    A confined one shuts itself in before it does anything; its scratch folder is removed when it has ended.
    Start it from a thread that outlives it: Linux ends it together with the thread that started it.
    """

    def __init__(
        self,
        index: int,
        tasks: str,
        memory_limit_mib: int,
        hear: Callable[[Process, Message, Arrays], None],
        ended: Callable[[Process, str], None],
        confinement: Confinement | None = None,
    ) -> None:
        self.index = index
        self.born = time.monotonic()
        self.log: deque[str] = deque(maxlen=50)
        self.level = logging.INFO  # of its log lines; libraries chat while they load
        self.confinement = confinement
        self._hear = hear
        self._ended = ended
        self._outbox: queue.SimpleQueue[list[bytes | memoryview] | None] = queue.SimpleQueue()
        held, seen = "", environment(os.environ)
        if confinement:
            held, seen = confinement.spelled(), confined_environment(os.environ, confinement.scratch)
        to_boot = [str(ROOT), tasks, str(os.getpid()), str(memory_limit_mib), held]
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-c", BOOT, *to_boot],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=seen,
            cwd=confinement.scratch if confinement else ROOT,
            start_new_session=True,
        )
        _widen(self._child.stdin, self._child.stdout)
        self.pid = self._child.pid
        self._threads = [
            threading.Thread(target=work, name=f"worker {index} {work.__name__}", daemon=True)
            for work in (self._read, self._write, self._follow_log)
        ]

    def start(self) -> None:
        """Begin to listen and to speak."""
        for thread in reversed(self._threads):  # the reader last: at an early end it waits for the log
            thread.start()

    def send(self, message: Message, arrays: Mapping[str, Array]) -> None:
        """Queue a message for the worker without waiting for it; FrameError if it cannot be one."""
        self._outbox.put(pack(message, arrays))

    def kill(self) -> None:
        """End the process now, and whatever it has started."""
        if self._child.poll() is not None:
            return
        if os.name == "posix":
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                return  # it ended in between
        else:
            self._child.kill()

    def join(self, seconds: float) -> bool:
        """Wait until the process is gone and reaped."""
        self._threads[0].join(seconds)
        return self._child.returncode is not None

    def resident_mib(self) -> float:
        """The memory it occupies now, or 0 where the system does not say."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0.0
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / MIB

    def _read(self) -> None:
        why, limits = "", FROM_CONFINED if self.confinement else FROM_WORKER
        try:
            with cast(BinaryIO, self._child.stdout) as stream:
                while True:
                    began = time.thread_time()
                    self._hear(self, *read_frame(stream, limits))
                    if self.confinement:  # a flood of messages shall not occupy this process
                        time.sleep(PACE * (time.thread_time() - began))
        except EOFError:
            pass
        except FrameError as error:
            why = f"it answered with something unreadable: {error.problem}"
        finally:
            self._outbox.put(None)
            self.kill()
            code = self._child.wait()
            self._threads[2].join(0.5)  # the log often says why
            self._ended(self, why or last_words(code, self.confinement))
            if self.confinement:
                for folder in filter(None, (self.confinement.scratch, self.confinement.place)):
                    remove_folder(folder)

    def _write(self) -> None:
        stream = cast(BinaryIO, self._child.stdin)
        try:
            for parts in iter(self._outbox.get, None):
                for part in parts:
                    stream.write(part)
                stream.flush()
        except OSError:
            pass  # the worker has ended; the reading thread says so
        finally:
            with contextlib.suppress(OSError):  # what was left to write has nowhere to go
                stream.close()

    def _follow_log(self) -> None:
        """Pass the worker's stderr on to the log, bounded in width and rate, without control characters."""
        began, lines = time.monotonic(), 0
        with cast(BinaryIO, self._child.stderr) as stream:
            while raw := stream.readline(2000):
                line = "".join(c if c.isprintable() else " " for c in raw.decode("utf-8", "replace")).rstrip()
                self.log.append(line)
                if time.monotonic() - began > WINDOW_S:
                    began, lines = time.monotonic(), 0
                lines += 1
                if lines <= LINES:
                    log.log(self.level, "worker %d: %s", self.index, line)
                elif lines == LINES + 1:
                    log.warning("worker %d: more lines follow too fast to be shown", self.index)
                elif self.confinement:
                    time.sleep(REST_S)


def last_words(code: int, confinement: Confinement | None = None) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"it ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"it was ended by signal {-code}"
    guess = ""
    if confinement and name in ("SIGABRT", "SIGSEGV", "SIGBUS"):
        guess = f"; perhaps the {confinement.memory_mib} MiB of memory it may use were not enough"
    return f"it was ended by {name}{guess}"


def _widen(*pipes: IO[bytes] | None) -> None:
    """Let pipes hold a megabyte where the system can: a chunk of images passes in a few steps."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        for pipe in filter(None, pipes):
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, MIB)
