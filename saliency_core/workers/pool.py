"""Worker processes that compute requests, are ended when they hang and replaced when they die."""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from saliency_core.arrays import Array
from saliency_core.errors import SaliencyError, WorkerError
from saliency_core.workers.frames import Arrays, FrameError, Message
from saliency_core.workers.keeper import Keeper
from saliency_core.workers.lend import Loans
from saliency_core.workers.private import PrivateLimits, Store, Upload, confine
from saliency_core.workers.process import Process
from saliency_core.workers.run import News, Outcome, Run, expect, read_news, read_outcome
from saliency_core.workers.slot import Rules, Slot, WorkerStatus, private_slots
from saliency_core.workers.standby import Standby

__all__ = ["Pool", "PoolStatus", "WorkerStatus"]

TASKS = "saliency_core.workers.tasks"
MOST = 8  # workers by default, however many cores there are: each holds TensorFlow


@dataclass(frozen=True)
class PoolStatus:
    """The readiness of the shared workers; `trouble` says why none can start, if so."""

    workers: tuple[WorkerStatus, ...]
    jobs_done: int
    restarts: int
    seconds_to_ready: float | None  # from the start of the pool to its first ready worker
    trouble: str = ""
    private: tuple[WorkerStatus, ...] = ()  # of uploaded models
    standby: WorkerStatus | None = None  # for the next uploaded model

    @property
    def ready(self) -> bool:
        """Whether any worker has finished starting."""
        return any(worker.state in ("ready", "busy") for worker in self.workers)


class Pool:
    """A fixed number of worker processes, started in the background, and one more for each uploaded model.

    `count` is the number of cores if not given. `tasks` names the module with the functions. A run above
    `wall_limit_s`, or `cancel_grace_s` after it was cancelled, costs its worker; so does a start longer than
    `start_limit_s` and no reply to a request within `reply_limit_s`. `memory_limit_mib` bounds the data of
    each worker (0: no bound). A worker is replaced after `recycle_jobs` runs or when it has grown above
    `recycle_mib`. The starts are `stagger_s` apart unless the one before is ready earlier.

    A request on an upload starts a confined process for it; `private` says how many there may be, what each
    may take and when an idle one ends. When all places are taken the one that was idle longest ends.
    After `stand_by` one more is kept ready for the next upload.
    """

    def __init__(
        self,
        count: int | None = None,
        tasks: str = TASKS,
        *,
        wall_limit_s: float = 120.0,
        memory_limit_mib: int = 0,
        stagger_s: float = 0.0,
        cancel_grace_s: float = 2.0,
        start_limit_s: float = 180.0,
        reply_limit_s: float = 5.0,
        recycle_jobs: int = 1000,
        recycle_mib: float = 2500.0,
        private: PrivateLimits | None = None,
    ) -> None:
        self.lock = threading.RLock()  # guards the pool and the job table on it
        self.on_idle: Callable[[], None] = lambda: None  # called with the lock held
        self._wake = threading.Condition(self.lock)
        self._numbers = itertools.count(1)
        self._born = time.monotonic()
        self._first_ready_s: float | None = None
        self._loans = Loans(self)
        rules = Rules(
            wall_limit_s,
            cancel_grace_s,
            start_limit_s,
            reply_limit_s,
            memory_limit_mib,
            recycle_jobs,
            recycle_mib,
        )
        self._shared = [Slot(i, self._born + stagger_s * i, rules) for i in range(count or _cores())]
        limits = private or PrivateLimits()
        *self._private, spare = private_slots(len(self._shared), rules, limits)
        self._standby = Standby(spare, self._shared)
        self._slots = (*self._shared, *self._private, spare)
        self.uploads = Store()
        self._keeper = Keeper(
            self._slots,
            self._standby,
            tasks,
            self._wake,
            self._hear,
            self._finish,
            self._settle,
            lambda upload: confine(upload.path if upload else None, limits, self.uploads.folder),
        )
        self._keeper.start()
        atexit.register(self.close)

    def __len__(self) -> int:
        return len(self._shared)

    def start(
        self,
        task: str,
        params: Mapping[str, Any],
        arrays: Mapping[str, Array],
        *,
        on_news: Callable[[News], None],
        on_end: Callable[[Outcome], None],
        background: bool = False,
        alone: bool = False,
        upload: Upload | None = None,
    ) -> Run | None:
        """Start a task on an idle worker, best on one that has its model open; None when all are busy.

        `params["model"]`, if it is text, names the model. An `alone` run is a piece of another's and gives
        none away, and neither does a run on an upload, which only the worker of that upload may compute.
        `on_end` is called exactly once; both callbacks are called with the lock held.
        """
        with self.lock:
            named = params.get("model")
            model = named if isinstance(named, str) else ""
            idle = [slot for slot in self._lane(upload) if slot.idle]
            if not idle or self._keeper.closed:
                return None
            slot = min(idle, key=lambda each: (model not in each.models, len(each.models), each.jobs))
            assert slot.process is not None
            lane, given = upload.id if upload else "", dict(params)
            if slot.process.confinement is not None and upload is not None:
                scratch = slot.process.confinement.scratch
                given["upload"] = {"path": slot.path or upload.path, "scratch": scratch}
            run = Run(next(self._numbers), slot.process, background, on_news, on_end, alone, lane)
            alone = alone or upload is not None
            order = {"type": "run", "run": run.number, "task": task, "params": given, "alone": alone}
            slot.process.send(order, arrays)
            slot.run = run
            slot.note_model(model)
            self._wake.notify_all()
            return run

    def cancel(self, run: Run) -> None:
        """Ask a run to stop; its worker is ended if it does not within the grace."""
        with self.lock:
            if run.cancelled_at is None:
                run.cancelled_at = time.monotonic()
                run.process.send({"type": "cancel", "run": run.number}, {})
                self._wake.notify_all()

    def idle(self, upload: Upload | None = None) -> list[Slot]:
        """The places where a request can start now: the shared ones, or the one of an upload."""
        return [] if self._keeper.closed else [slot for slot in self._lane(upload) if slot.idle]

    def want(self, upload: Upload | None) -> None:
        """See to it that an upload has a worker, if need be instead of the one that was idle longest."""
        if upload is None or self._lane(upload) or self._keeper.closed:
            return
        empty = [slot for slot in self._private if slot.upload is None]
        idle = [slot for slot in self._private if slot.idle]
        for slot in empty[:1] or sorted(idle, key=lambda each: each.used_at)[:1]:
            slot.give(upload, time.monotonic())
            self._wake.notify_all()

    def stand_by(self) -> None:
        """Keep a process ready for the next upload: somebody may bring one soon. It ends when idle."""
        with self.lock:
            if not self._keeper.closed:
                self._standby.want(time.monotonic())
                self._wake.notify_all()

    def forget_upload(self, upload_id: str) -> None:
        """End the worker of an upload and remove the stored model."""
        with self.lock:
            for slot in self._private:
                if slot.upload is not None and slot.upload.id == upload_id:
                    self._keeper.dismiss(slot)
        self.uploads.remove(upload_id)

    def runs(self) -> list[Run]:
        """What is running."""
        return [slot.run for slot in (*self._shared, *self._private) if slot.run is not None]

    @property
    def trouble(self) -> WorkerError | None:
        """Why no worker can start, or None."""
        return self._keeper.trouble

    def on_trouble(self, call: Callable[[SaliencyError, Upload | None], None]) -> None:
        """Have `call(error, upload)` called, with the lock held, when no worker (of it) can start."""
        self._keeper.on_trouble = call

    def status(self) -> PoolStatus:
        """What each worker does, for a page that shows readiness."""
        with self.lock:
            workers = tuple(slot.status() for slot in self._shared)
            private = tuple(slot.status() for slot in self._private if slot.upload is not None)
            done, restarts = (sum(getattr(w, name) for w in workers) for name in ("jobs_done", "restarts"))
            trouble = self.trouble.problem if self.trouble else ""
            spare = self._standby.slot.status()
            return PoolStatus(workers, done, restarts, self._first_ready_s, trouble, private, spare)

    def wait_ready(self, seconds: float, workers: int = 1) -> bool:
        """Wait until so many workers are ready; False when the time is over first."""

        def enough() -> bool:
            return sum(slot.ready_after_s is not None for slot in self._shared) >= workers

        with self._wake:
            return self._wake.wait_for(enough, seconds)

    def close(self) -> None:
        """End all processes; what was running ends as cancelled."""
        self._keeper.close()
        self.uploads.close()
        atexit.unregister(self.close)

    def _hear(self, process: Process, message: Message, arrays: Arrays) -> None:
        """Act on a message of a worker; FrameError if it makes no sense, which ends the worker."""
        with self.lock:
            slot = self._slots[process.index]
            if slot.process is not process:
                return  # it was given up; these are its last words
            if message.get("type") == "ready":
                self._ready(slot)
                self._settle()
            elif slot.run is None or slot.run.number != message.get("run"):
                return  # late news of a run that has ended
            elif self._hear_run(slot, slot.run, message, arrays):
                self._settle()

    def _ready(self, slot: Slot) -> None:
        if slot.ready_after_s is not None:
            raise FrameError("The worker said twice that it is ready.")
        now = time.monotonic()
        self._keeper.started(slot, now)
        if not slot.private:
            self._first_ready_s = self._first_ready_s or now - self._born

    def _lane(self, upload: Upload | None) -> list[Slot]:
        """The places for requests on an upload, or for all others."""
        if upload is None:
            return self._shared
        return [slot for slot in self._private if slot.upload is not None and slot.upload.id == upload.id]

    def _hear_run(self, slot: Slot, run: Run, message: Message, arrays: Arrays) -> bool:
        """Act on what a worker says of its run; whether something may start now."""
        match message.get("type"):
            case "started":
                run.acknowledged = True
                return False
            case "progress":
                run.on_news(read_news(message, arrays))
                return False
            case "patience":
                seconds = min(float(expect(message, "seconds", (int, float))), slot.rules.wall_limit_s)
                run.be_patient(seconds)
                self._wake.notify_all()
            case "offer" | "lend" if run.lane:  # nothing of a stranger's runs on a shared worker
                raise FrameError("The worker of an uploaded model offered work to others.")
            case "offer":
                self._loans.offer(run, message)
            case "lend":
                self._loans.lend(run, message, arrays)
            case _:
                self._finish(slot, read_outcome(message, arrays))
        return True

    def _finish(self, slot: Slot, outcome: Outcome) -> None:
        """Free the worker of its run, then tell whoever asked."""
        run, slot.run = slot.run, None
        if run is None:
            return
        slot.jobs, slot.used_at = slot.jobs + 1, time.monotonic()
        slot.jobs_done += not run.lent
        self._loans.settle(run)
        run.on_end(outcome)

    def _settle(self) -> None:
        """Give idle workers something to do: waiting jobs first, then pieces of running ones."""
        if not self._keeper.closed:
            self._keeper.renew()
            self.on_idle()
            self._loans.feed()


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST)
