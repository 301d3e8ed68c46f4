"""A worker process: it reads requests from a pipe, computes them one by one and writes what came of it."""

from __future__ import annotations

import faulthandler
import gc
import importlib
import os
import queue
import secrets
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any, BinaryIO

from saliency_core import errors
from saliency_core.errors import Cancelled, SaliencyError, WorkerError
from saliency_core.workers.frames import Arrays, FrameError, Message, read_frame, write_frame
from saliency_core.workers.report import PipeReport, Report, Task, compute

__all__ = ["Report", "Task", "Worker", "serve"]


def serve(tasks: str, source: BinaryIO, sink: BinaryIO, warm: bool = True) -> None:
    """Answer requests from `source` on `sink` until it closes; `tasks` names the module with TASKS.

    Before it is ready it calls the module's `warm_up`, or `prepare` where nothing shall be opened, if any.
    """
    faulthandler.enable()
    began = time.monotonic()
    gc.disable()  # what is loaded stays: looking through it again and again is a fifth of the start
    worker = Worker(source, sink)
    module = importlib.import_module(tasks)
    warm_up = getattr(module, "warm_up" if warm else "prepare", None)
    notes = warm_up() if warm_up is not None else None
    gc.freeze()
    gc.enable()
    worker.send({"type": "ready", "seconds": time.monotonic() - began, "notes": notes or {}}, {})
    worker.work(module.TASKS)


class Worker:
    """One thread reads the pipe, this one computes: a cancel is heard in the middle of a task."""

    def __init__(self, source: BinaryIO, sink: BinaryIO) -> None:
        self._source = source
        self._sink = sink
        self._writing = threading.Lock()
        self._orders: queue.SimpleQueue[tuple[Message, Arrays]] = queue.SimpleQueue()
        self._reports: dict[int, PipeReport] = {}
        self._early: set[int] = set()  # runs cancelled before they began
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="pipe", daemon=True).start()

    def send(self, message: Message, arrays: Arrays) -> None:
        """Write one frame; when the parent has gone, so does this process."""
        try:
            with self._writing:
                write_frame(self._sink, message, arrays)
        except OSError:
            os._exit(1)

    def work(self, tasks: Mapping[str, Task]) -> None:
        """Compute one request after the other, for ever."""
        while True:
            order, arrays = self._orders.get()
            run = int(order["run"])
            report = PipeReport(run, self.send, tasks, alone=bool(order["alone"]))
            with self._lock:
                self._reports[run] = report
                if run in self._early:
                    report.cancel()
            self.send({"type": "started", "run": run}, {})
            answer, given = answer_to(order, arrays, report)
            with self._lock:
                del self._reports[run]
                self._early.clear()
            try:
                self.send(answer, given)
            except FrameError as error:
                self.send(_error(run, error), {})
            del order, arrays, answer, given, report  # an idle worker holds nobody's picture

    def _listen(self) -> None:
        try:
            while True:
                message, arrays = read_frame(self._source)
                if message["type"] == "run":
                    self._orders.put((message, arrays))
                else:
                    self._hear(message, arrays)
        except EOFError:
            os._exit(0)
        except BaseException:  # noqa: BLE001 - nothing more can be heard: say why and end
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    def _hear(self, message: Message, arrays: Arrays) -> None:
        with self._lock:
            report = self._reports.get(message["run"])
            if report is None and message["type"] == "cancel":
                self._early.add(message["run"])
        if report is not None:
            report.hear(message, arrays)


def answer_to(order: Message, arrays: Arrays, report: PipeReport) -> tuple[Message, Arrays]:
    """Compute one request and word the answer: done, cancelled, the user's error, or a crash with an id."""
    run = report.run
    try:
        report.check()
        if order["task"] not in report.tasks:
            raise WorkerError(f"There is no task {order['task']!r}.", f"There are {', '.join(report.tasks)}.")
        message, given = compute(report.tasks[order["task"]], (order["params"], arrays), report)
        return {"type": "done", "run": run, "message": message}, given
    except Cancelled:
        return {"type": "cancelled", "run": run}, {}
    except SaliencyError as error:
        return _error(run, error), {}
    except Exception as error:  # noqa: BLE001 - the worker goes on; the parent tells the user, the log says why
        if _out_of_memory(error):
            problem, hint = "The computation ran out of memory.", "Choose a smaller image, model or chunk."
            return _error(run, WorkerError(problem, hint)), {}
        return _crash(run, error), {}


def _out_of_memory(error: Exception) -> bool:
    """Whether Python, TensorFlow or the C++ library below it says so."""
    exhausted = type(error).__name__ == "ResourceExhaustedError" or "bad_alloc" in str(error)
    return isinstance(error, MemoryError) or exhausted


def _error(run: int, error: SaliencyError) -> Message:
    known = errors.__name__  # the parent knows the classes of that module and no others
    name = next(each.__name__ for each in type(error).__mro__ if each.__module__ == known)
    return {"type": "error", "run": run, "name": name, "problem": error.problem, "hint": error.hint}


def _crash(run: int, error: BaseException) -> dict[str, Any]:
    name = secrets.token_hex(4)
    summary = f"{type(error).__name__}: {error}"[:500].encode("utf-8", "replace").decode("utf-8")
    print(f"error {name} in run {run}\n{traceback.format_exc()}", file=sys.stderr, flush=True)
    return {"type": "crash", "run": run, "id": name, "summary": summary}
