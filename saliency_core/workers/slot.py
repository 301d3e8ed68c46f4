"""The place of one worker in a pool: its process, what it runs and what it has done."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal

from saliency_core.workers.private import PrivateLimits, Upload
from saliency_core.workers.process import Process
from saliency_core.workers.run import Run

MODELS = 4  # a worker is taken to hold the models of so many last requests


@dataclass(frozen=True)
class Rules:
    """What a worker process may take: seconds, MiB and jobs."""

    wall_limit_s: float
    cancel_grace_s: float
    start_limit_s: float
    reply_limit_s: float
    memory_limit_mib: int
    recycle_jobs: int
    recycle_mib: float
    idle_limit_s: float = float("inf")
    scratch_mib: float = float("inf")


@dataclass(frozen=True)
class WorkerStatus:
    """One line of the readiness page."""

    state: Literal["starting", "ready", "busy", "down"]
    pid: int | None
    jobs_done: int
    restarts: int
    ready_after_s: float | None
    resident_mib: float


@dataclass(eq=False)
class Slot:
    """A place for a worker; it stays when its process is replaced.

    A private place serves one uploaded model at a time and is empty as long as there is none.
    """

    index: int
    due: float  # when to start a process, if there is none
    rules: Rules
    private: bool = False
    upload: Upload | None = None
    used_at: float = 0.0  # when it was ready, or its last run ended
    process: Process | None = None
    path: str = ""  # where the process finds the upload, if not where it is stored
    ready_after_s: float | None = None
    run: Run | None = None
    models: deque[str] = field(default_factory=lambda: deque(maxlen=MODELS))  # newest last
    jobs: int = 0  # runs of this process, pieces of others' jobs among them
    jobs_done: int = 0  # whole jobs of all processes that were here
    starts: int = 0
    failed_starts: int = 0  # of a private place, for the model that is here

    @property
    def idle(self) -> bool:
        """Whether a request can start here now."""
        return self.process is not None and self.ready_after_s is not None and self.run is None

    def fill(self, process: Process, path: str = "") -> None:
        """Put a new process here."""
        self.process, self.path, self.ready_after_s, self.jobs = process, path, None, 0
        self.starts += 1
        self.models.clear()

    def take(self, other: Slot, path: str) -> None:
        """Move the process of another place here, as far as it has come; it finds the upload at `path`."""
        process, ready_after_s = other.process, other.ready_after_s
        assert process is not None
        other.process, other.ready_after_s, other.due = None, None, float("inf")
        process.index = self.index
        self.fill(process, path)
        self.ready_after_s, self.used_at = ready_after_s, time.monotonic()

    def clear(self, due: float) -> Process | None:
        """End the process that is here, if any, and ask for a new one at `due`."""
        process, self.process = self.process, None
        self.ready_after_s, self.due = None, due
        if process is not None:
            process.kill()
        return process

    def give(self, upload: Upload, due: float) -> None:
        """Ask for a process for an uploaded model in this private place, instead of what was here."""
        self.clear(due)
        self.upload, self.failed_starts = upload, 0

    def leave(self, due: float) -> Process | None:
        """End the process that is here; a private place is empty then, another gets a new one at `due`."""
        self.upload = None
        return self.clear(float("inf") if self.private else due)

    def note_model(self, model: str) -> None:
        """Remember that the process has opened a model."""
        if model in self.models:
            self.models.remove(model)
        if model:
            self.models.append(model)

    @property
    def deadline(self) -> float:
        """When something must have happened here."""
        rules = self.rules
        if self.process is None:
            return self.due
        if self.ready_after_s is None:
            return self.process.born + rules.start_limit_s
        if self.run is None:
            return self.used_at + rules.idle_limit_s
        wall = self.run.began + rules.wall_limit_s
        if not self.run.acknowledged:
            wall = min(wall, self.run.began + rules.reply_limit_s)
        if self.run.cancelled_at is None:
            return wall
        return min(wall, max(self.run.cancelled_at + rules.cancel_grace_s, self.run.patient_until))

    @property
    def outworn(self) -> bool:
        """Whether an idle process has done its share of jobs or has grown too large."""
        if not self.idle or self.process is None or not self.jobs:
            return False
        return self.jobs >= self.rules.recycle_jobs or self.process.resident_mib() > self.rules.recycle_mib

    def status(self) -> WorkerStatus:
        """What this worker does now."""
        restarts = max(0, self.starts - 1)
        if self.process is None:
            return WorkerStatus("down", None, self.jobs_done, restarts, None, 0.0)
        state: Literal["starting", "ready", "busy"] = "ready" if self.run is None else "busy"
        if self.ready_after_s is None:
            state = "starting"
        memory = self.process.resident_mib()
        return WorkerStatus(state, self.process.pid, self.jobs_done, restarts, self.ready_after_s, memory)


def private_slots(first: int, rules: Rules, limits: PrivateLimits) -> list[Slot]:
    """Return empty places for the workers of uploaded models, and last one for a process that stands by."""
    own = replace(
        rules,
        wall_limit_s=limits.wall_s,
        start_limit_s=limits.start_s,
        idle_limit_s=limits.idle_s,
        scratch_mib=limits.scratch_mib,
    )
    return [Slot(first + index, float("inf"), own, private=True) for index in range(limits.count + 1)]
