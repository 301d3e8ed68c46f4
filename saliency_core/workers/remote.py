"""One confined worker for a plain program: a stranger's model is opened and asked there, call by call."""

from __future__ import annotations

import contextlib
import itertools
import queue
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from saliency_core.arrays import Array
from saliency_core.errors import ModelError, WorkerError
from saliency_core.workers.frames import Arrays, FrameError, Message
from saliency_core.workers.pool import TASKS
from saliency_core.workers.private import PrivateLimits, Store, confine
from saliency_core.workers.process import Process
from saliency_core.workers.run import CrashError, Outcome, read_news, read_outcome

OnProgress = Callable[[float, float, str], None]
Inbox = queue.Queue[tuple[Message, Arrays]]
UNREAD, FULL_S = 16, 10.0  # messages that may wait to be looked at, and how long a process waits to add one
GRACE_S = 2.0  # to stop in, when the caller was interrupted
ENDED = "ended"
# a process ends with the thread that started it, and the caller's may end before the model is done with
_starter = ThreadPoolExecutor(1, "remote")


class Remote:
    """A confined process that holds one model. It ends with `close`, with this object, or with the program.

    `call` raises what the task raises, and `WorkerError` when the process took too much time, crashed or
    wrote nonsense; after that it is gone, and every further call says so. Calls from several threads take
    turns.
    """

    def __init__(
        self, process: Process, inbox: Inbox, store: Store, path: str, limits: PrivateLimits
    ) -> None:
        self._process, self._inbox, self._limits = process, inbox, limits
        scratch = process.confinement.scratch if process.confinement else ""
        self._upload = {"path": path, "scratch": scratch}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._end = weakref.finalize(self, _end, process, inbox, store)

    @classmethod
    def start(cls, path: str | Path, tasks: str = TASKS, limits: PrivateLimits | None = None) -> Remote:
        """Start a process that can read the model at `path` and little else; waits until it listens."""
        limits, where, store = limits or PrivateLimits(), str(Path(path).resolve()), Store()
        inbox: Inbox = queue.Queue(UNREAD)

        def make() -> Process:
            confinement = confine(where, limits, store.folder)
            process = Process(0, tasks, 0, _hears(inbox), _notes_the_end(inbox), confinement)
            process.start()
            return process

        try:
            process = _starter.submit(make).result()
        except FileNotFoundError as error:
            store.close()
            raise ModelError(f"There is no file or folder {str(path)!r}.", "Check the path.") from error
        remote = cls(process, inbox, store, where, limits)
        try:
            message, _ = remote._next(time.monotonic() + limits.start_s, "The process did not start in time.")
            if message.get("type") != "ready":
                raise FrameError("The process said something else before it was ready.")
        except BaseException:
            remote.close()
            raise
        return remote

    @property
    def pid(self) -> int:
        """The process that holds the model."""
        return self._process.pid

    def call(
        self,
        task: str,
        params: Mapping[str, Any] | None = None,
        arrays: Mapping[str, Array] | None = None,
        on_progress: OnProgress | None = None,
    ) -> tuple[Mapping[str, Any], Mapping[str, Array]]:
        """Compute a task there and return its message and arrays; it finds the model in `params["upload"]`.

        When it is interrupted, by the keyboard or by what `on_progress` raises, the task is stopped.
        """
        with self._lock:
            if not self._end.alive:
                raise WorkerError("The process of this model has ended.", "Open the model again.")
            number = next(self._numbers)
            given = {**(params or {}), "upload": self._upload}
            order = {"type": "run", "run": number, "task": task, "params": given, "alone": True}
            self._process.send(order, arrays or {})
            wall = self._limits.wall_s
            late = f"The computation took longer than {wall:g} s and was ended."
            try:
                outcome = self._outcome(number, time.monotonic() + wall, late, on_progress)
            except (CrashError, FrameError):
                self.close()
                raise
            except BaseException:
                self._stop(number)
                raise
        if outcome.error is not None:
            raise outcome.error
        return outcome.message, outcome.arrays

    def close(self) -> None:
        """End the process and remove what it wrote."""
        self._end()

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _outcome(self, number: int, until: float, late: str, on_progress: OnProgress | None) -> Outcome:
        while True:
            message, arrays = self._next(until, late)
            match message.get("type"):
                case "started" | "patience" | "offer":
                    continue
                case "progress":
                    news = read_news(message, arrays)
                    if on_progress is not None and message.get("run") == number:
                        on_progress(news.done, news.total, news.message)
                case _ if message.get("run") == number:
                    return read_outcome(message, arrays)

    def _next(self, until: float, late: str) -> tuple[Message, Arrays]:
        """The next message; CrashError when there is none in time, or when the process has ended."""
        try:
            message, arrays = self._inbox.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            raise CrashError(late) from None
        if message.get("type") == ENDED:
            raise CrashError(f"The process ended in the middle: {message.get('why')}.")
        return message, arrays

    def _stop(self, number: int) -> None:
        """Stop a task that nobody wants any more, with the process if need be."""
        self._process.send({"type": "cancel", "run": number}, {})
        try:
            self._outcome(number, time.monotonic() + GRACE_S, "It did not stop.", None)
        except BaseException:  # noqa: BLE001 - what interrupted the call is raised by the caller
            self.close()


def _hears(inbox: Inbox) -> Callable[[Process, Message, Arrays], None]:
    def hear(process: Process, message: Message, arrays: Arrays) -> None:
        try:
            inbox.put((message, {} if message.get("type") == "progress" else arrays), timeout=FULL_S)
        except queue.Full:
            raise FrameError("The process said more than anybody asked.") from None

    return hear


def _notes_the_end(inbox: Inbox) -> Callable[[Process, str], None]:
    def note(process: Process, why: str) -> None:
        with contextlib.suppress(queue.Empty):
            if inbox.full():  # nobody reads: the end matters more
                inbox.get_nowait()
        inbox.put(({"type": ENDED, "why": why}, {}))

    return note


def _end(process: Process, inbox: Inbox, store: Store) -> None:
    process.kill()
    deadline = time.monotonic() + 5
    with contextlib.suppress(RuntimeError):  # collected on the process's own thread
        while not process.join(0.05) and time.monotonic() < deadline:
            with contextlib.suppress(queue.Empty):  # its last words wait for room
                while True:
                    inbox.get_nowait()
    store.close()
