"""The thread that keeps worker processes: it starts them, ends those that hang and replaces the dead."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from saliency_core.errors import ModelError, SaliencyError, WorkerError
from saliency_core.workers.frames import Arrays, Message
from saliency_core.workers.private import Upload, folder_mib
from saliency_core.workers.process import Process
from saliency_core.workers.run import CrashError, Outcome
from saliency_core.workers.sandbox import Confinement
from saliency_core.workers.slot import Slot
from saliency_core.workers.standby import Standby

log = logging.getLogger("saliency")

Hear = Callable[[Process, Message, Arrays], None]
Finish = Callable[[Slot, Outcome], None]
Confine = Callable[[Upload | None], Confinement]
STARTS = 2  # of the process for an uploaded model, before those who asked are told
GLANCE_S = 1.0  # so often the scratch folders of private workers are looked at


class Keeper:
    """Fills slots with processes and empties them; `wake` holds the pool's lock.

    `hear(process, message, arrays)` gets every message; `finish(slot, outcome)` ends the run of a slot whose
    process was lost; `settle()` follows each loss. All but `hear` and `confine(upload)`, which makes the
    folders of a private worker, are called with the lock held. The place of `standby` is among the slots.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        standby: Standby,
        tasks: str,
        wake: threading.Condition,
        hear: Hear,
        finish: Finish,
        settle: Callable[[], None],
        confine: Confine,
    ) -> None:
        self.trouble: WorkerError | None = None  # why no worker can start
        self.on_trouble: Callable[[SaliencyError, Upload | None], None] = lambda error, upload: None
        self.closed = False
        self._slots, self._standby, self._tasks, self._wake = slots, standby, tasks, wake
        self._shared = [slot for slot in slots if not slot.private]
        self._hear, self._finish, self._settle, self._confine = hear, finish, settle, confine
        self._failed_starts = 0
        self._looked_at = 0.0  # when the scratch folders were looked at
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
        slot.ready_after_s, slot.used_at = now - slot.process.born, now
        slot.process.level = logging.WARNING
        if not slot.private:
            self._failed_starts, self.trouble = 0, None
            for other in self._shared:
                other.due = min(other.due, now)
            self._standby.consider(now)
        self._wake.notify_all()

    def dismiss(self, slot: Slot) -> None:
        """End a private worker on request; what it was computing ends as cancelled."""
        slot.leave(time.monotonic())
        self._finish(slot, Outcome("cancelled"))
        self._wake.notify_all()
        self._settle()

    def renew(self) -> None:
        """Replace one idle worker that is outworn, unless another is just starting."""
        if any(slot.ready_after_s is None for slot in self._shared):
            return
        for slot in self._shared:
            if slot.outworn:
                log.info("worker %d is renewed after %d jobs", slot.index, slot.jobs)
                slot.clear(time.monotonic())
                self._wake.notify_all()
                return

    def _keep(self) -> None:
        # Linux ends a process together with the thread that started it, so this thread starts them all
        while True:
            overfull = self._overfull()
            with self._wake:
                if self.closed:
                    break
                now = time.monotonic()
                self._police(now, overfull)
                empty = [slot for slot in self._slots if slot.process is None]
                due = [(slot, slot.upload) for slot in empty if slot.due <= now]
                if not due:
                    nearest = min(slot.deadline for slot in self._slots)
                    glance = GLANCE_S if any(slot.upload for slot in self._slots) else 60.0
                    self._wake.wait(min(glance, nearest - time.monotonic()))
                    continue
            for slot, upload in due:
                self._launch(slot, upload)
        self._end_all()

    def _launch(self, slot: Slot, upload: Upload | None) -> None:
        with self._wake:
            if slot.process is None and slot.upload is upload and self._standby.give(slot, time.monotonic()):
                self._settle()
                return
        try:
            confinement = self._confine(upload) if slot.private else None
            memory = slot.rules.memory_limit_mib
            process = Process(slot.index, self._tasks, memory, self._hear, self._gone, confinement)
        except OSError as error:
            with self._wake:
                self._failed_start(slot, str(error))
            return
        with self._wake:
            wanted = slot.upload is upload
            if wanted:
                slot.fill(process)
        process.start()
        if not wanted:
            process.kill()

    def _overfull(self) -> set[Process]:
        """The private workers that have filled their scratch folders."""
        if time.monotonic() - self._looked_at < GLANCE_S:
            return set()
        self._looked_at = time.monotonic()
        with self._wake:
            places = [(slot.process, slot.rules.scratch_mib) for slot in self._slots]
        return {
            process
            for process, most in places
            if process is not None and process.confinement and folder_mib(process.confinement.scratch) > most
        }

    def _gone(self, process: Process, why: str) -> None:
        """A process has ended by itself."""
        with self._wake:
            slot = self._slots[process.index]
            if slot.process is process and not self.closed:
                log.warning("worker %d (process %d) is replaced: %s", process.index, process.pid, why)
                self._drop(slot, f"The worker process ended in the middle: {why.rstrip('.')}.")

    def _police(self, now: float, overfull: set[Process]) -> None:
        """End the processes that start, run or stop too slowly, are no longer needed or fill the disk."""
        for slot in self._slots:
            if slot.process is None or (now < slot.deadline and slot.process not in overfull):
                continue
            if slot.process in overfull:
                problem = f"The computation wrote more than {slot.rules.scratch_mib:g} MiB and was ended."
            elif slot.ready_after_s is None:
                problem = f"The worker process did not start within {slot.rules.start_limit_s:g} s."
            elif slot.run is None:
                log.info("worker %d ends: nobody asks for its model", slot.index)
                slot.leave(now)
                continue
            elif slot.run.cancelled_at is not None:
                problem = "The worker process did not stop when asked."
            elif slot.run.acknowledged:
                problem = f"The computation took longer than {slot.rules.wall_limit_s:g} s and was ended."
            else:
                problem = "The worker process did not answer."
            log.warning("worker %d (process %d) is replaced: %s", slot.index, slot.process.pid, problem)
            self._drop(slot, problem)

    def _drop(self, slot: Slot, problem: str) -> None:
        """Give up a process and what it was computing; a shared place gets a new one at once."""
        process = slot.process
        if slot.ready_after_s is None:
            self._failed_start(slot, "\n".join([problem, *(process.log if process else ())]))
        elif slot is self._standby.slot:
            self._standby.lost(time.monotonic())
        else:
            slot.leave(time.monotonic())
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
        if slot.private:
            self._failed_private_start(slot)
            return
        self._failed_starts += 1
        slot.leave(time.monotonic() + min(30.0, 0.1 * 2**self._failed_starts))
        if self._failed_starts >= 3 and all(other.ready_after_s is None for other in self._shared):
            hint = "The log of the server says why. It is tried again by and by."
            self.trouble = WorkerError("The worker processes cannot start.", hint)
            self.on_trouble(self.trouble, None)

    def _failed_private_start(self, slot: Slot) -> None:
        """Try once more; then tell those who asked for this model, who may ask again."""
        if slot is self._standby.slot:
            self._standby.lost(time.monotonic())
            return
        slot.failed_starts += 1
        upload = slot.upload
        if slot.failed_starts < STARTS and upload is not None and os.path.exists(upload.path):
            slot.clear(time.monotonic() + 0.1)
        else:
            slot.leave(time.monotonic())
            self.on_trouble(_no_start(upload), upload)

    def _end_all(self) -> None:
        with self._wake:
            processes = [process for slot in self._slots if (process := slot.leave(float("inf")))]
            for slot in self._slots:
                self._finish(slot, Outcome("cancelled"))
        for process in processes:
            if not process.join(5):
                log.error("process %d could not be ended", process.pid)


def _no_start(upload: Upload | None) -> SaliencyError:
    if upload is not None and not os.path.exists(upload.path):
        return ModelError("The uploaded model is no longer on the server.", "Upload it again.")
    return WorkerError(
        "The process for this model could not start.", "Try again; the log of the server says why."
    )
