"""The process that stands by: shut in, TensorFlow loaded, and waiting for the next model to be brought."""

from __future__ import annotations

from collections.abc import Sequence

from saliency_core.workers.private import hand_over
from saliency_core.workers.slot import Slot

REST_S = 8.0  # after one was taken, whose model is being opened meanwhile
RETRY_S = 30.0  # after one was lost
NEVER = float("inf")


class Standby:
    """One place for a process without a model. Such a process is given away once and never comes back.

    It starts when somebody may soon bring a model and all shared workers are ready, and ends when nobody
    has asked for so long as the worker of an uploaded model may be idle. Its rules are those of such a
    worker: what it will read is put into an empty folder that was its own from the start. All methods are
    called with the pool's lock held.
    """

    def __init__(self, slot: Slot, shared: Sequence[Slot]) -> None:
        self.slot = slot
        self._shared = shared
        self._until = 0.0  # when nobody is taken to bring a model any more
        self._not_before = 0.0

    def want(self, now: float) -> None:
        """Note that somebody may soon bring a model."""
        self._until, self.slot.used_at = now + self.slot.rules.idle_limit_s, now
        self.consider(now)

    def consider(self, now: float) -> None:
        """Ask for a process if one is wanted, there is none, and it would slow no shared worker's start."""
        vacant = self.slot.process is None and self.slot.due == NEVER
        if vacant and now < self._until and all(slot.ready_after_s is not None for slot in self._shared):
            self.slot.due = max(now, self._not_before)

    def give(self, slot: Slot, now: float) -> bool:
        """Move the process to the place of an upload and let it see that file; False if that cannot be."""
        process = self.slot.process
        if slot.upload is None or process is None or process.confinement is None:
            return False
        try:
            path = hand_over(slot.upload.path, process.confinement.place)
        except OSError:
            return False
        slot.take(self.slot, path)
        self._not_before = now + REST_S
        self.consider(now)
        return True

    def lost(self, now: float) -> None:
        """Note that the process has ended by itself or did not start; the next one starts later."""
        self.slot.leave(now)
        self._not_before = now + RETRY_S
        self.consider(now)
