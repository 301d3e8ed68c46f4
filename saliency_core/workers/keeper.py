"""The thread that keeps worker processes: it starts them, ends those that hang and replaces the dead."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

from saliency_core.errors import WorkerError
from saliency_core.workers.frames import Arrays, Message
from saliency_core.workers.process import Process
from saliency_core.workers.run import CrashError, Outcome
from saliency_core.workers.slot import Rules, Slot

log = logging.getLogger("saliency")

Hear = Callable[[Process, Message, Arrays], None]
Finish = Callable[[Slot, Outcome], None]


class Keeper:
    """Fills slots with processes and empties them; `wake` holds the pool's lock.

    `hear(process, message, arrays)` gets every message; `finish(slot, outcome)` ends the run of a slot whose
    process was lost; `settle()` follows each loss. All but `hear` are called with the lock held.
    """

    def __init__(
        self,
        slots: list[Slot],
        rules: Rules,
        tasks: str,
        wake: threading.Condition,
        hear: Hear,
        finish: Finish,
        settle: Callable[[], None],
    ) -> None:
        self.trouble: WorkerError | None = None  # why no worker can start
        self.on_trouble: Callable[[WorkerError], None] = lambda error: None
        self.closed = False
        self._slots, self._rules, self._tasks, self._wake = slots, rules, tasks, wake
        self._hear, self._finish, self._settle = hear, finish, settle
        self._failed_starts = 0
        self._thread = threading.Thread(target=self._keep, name="workers", daemon=True)

    def start(self) -> None:
        """Begin to start processes."""
        self._thread.start()

    def close(self) -> None:
        """End all processes and wait until they are gone."""
        with self._wake:
            self.closed = True
            self._wake.notify_all()
        self._thread.join(10)

    def started(self, slot: Slot, now: float) -> None:
        """Note that a process is ready: others that waited to start, or to try again, may do so now."""
        assert slot.process is not None
        slot.ready_after_s = now - slot.process.born
        slot.process.level = logging.WARNING
        self._failed_starts, self.trouble = 0, None
        for other in self._slots:
            other.due = min(other.due, now)
        self._wake.notify_all()

    def renew(self) -> None:
        """Replace one idle worker that is outworn, unless another is just starting."""
        if any(slot.ready_after_s is None for slot in self._slots):
            return
        for slot in self._slots:
            if slot.outworn(self._rules):
                log.info("worker %d is renewed after %d jobs", slot.index, slot.jobs)
                slot.clear(time.monotonic())
                self._wake.notify_all()
                return

    def _keep(self) -> None:
        # Linux ends a process together with the thread that started it, so this thread starts them all
        while True:
            with self._wake:
                if self.closed:
                    break
                now = time.monotonic()
                self._police(now)
                due = [slot for slot in self._slots if slot.process is None and slot.due <= now]
                if not due:
                    nearest = min(slot.deadline(self._rules) for slot in self._slots)
                    self._wake.wait(min(60.0, nearest - time.monotonic()))
                    continue
            for slot in due:
                self._launch(slot)
        self._end_all()

    def _launch(self, slot: Slot) -> None:
        memory = self._rules.memory_limit_mib
        try:
            process = Process(slot.index, self._tasks, memory, self._hear, self._gone)
        except OSError as error:
            with self._wake:
                self._failed_start(slot, str(error))
            return
        with self._wake:
            slot.fill(process)
        process.start()

    def _gone(self, process: Process, why: str) -> None:
        """A process has ended by itself."""
        with self._wake:
            slot = self._slots[process.index]
            if slot.process is process and not self.closed:
                log.warning("worker %d (process %d) is replaced: %s", process.index, process.pid, why)
                self._drop(slot, f"The worker process ended in the middle: {why}.")

    def _police(self, now: float) -> None:
        """End the processes that start, run or stop too slowly."""
        for slot in self._slots:
            if slot.process is None or now < slot.deadline(self._rules):
                continue
            if slot.run is None:
                problem = f"The worker process did not start within {self._rules.start_limit_s:g} s."
            elif slot.run.cancelled_at is not None:
                problem = "The worker process did not stop when asked."
            elif slot.run.acknowledged:
                problem = f"The computation took longer than {self._rules.wall_limit_s:g} s and was ended."
            else:
                problem = "The worker process did not answer."
            log.warning("worker %d (process %d) is replaced: %s", slot.index, slot.process.pid, problem)
            self._drop(slot, problem)

    def _drop(self, slot: Slot, problem: str) -> None:
        """Give up a process and what it was computing; its place gets a new one at once."""
        starting = slot.ready_after_s is None
        process = slot.clear(time.monotonic())
        if starting:
            self._failed_start(slot, "\n".join([problem, *(process.log if process else ())]))
        if slot.run is not None:
            state: Literal["failed", "cancelled", "unstarted"] = "failed"
            if slot.run.cancelled_at is not None:
                state = "cancelled"
            elif not slot.run.acknowledged:
                state = "unstarted"
            self._finish(slot, Outcome(state, error=CrashError(problem)))
        self._wake.notify_all()
        self._settle()

    def _failed_start(self, slot: Slot, why: str) -> None:
        """Try again, later each time; after three failures in a row with no worker ready, say so."""
        log.error("worker %d did not start: %s", slot.index, why)
        self._failed_starts += 1
        slot.due = time.monotonic() + min(30.0, 0.1 * 2**self._failed_starts)
        if self._failed_starts >= 3 and all(other.ready_after_s is None for other in self._slots):
            hint = "The log of the server says why. It is tried again by and by."
            self.trouble = WorkerError("The worker processes cannot start.", hint)
            self.on_trouble(self.trouble)

    def _end_all(self) -> None:
        with self._wake:
            processes = [process for slot in self._slots if (process := slot.clear(float("inf")))]
            for slot in self._slots:
                self._finish(slot, Outcome("cancelled"))
        for process in processes:
            if not process.join(5):
                log.error("process %d could not be ended", process.pid)
