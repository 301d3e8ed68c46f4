"""A request and what became of it."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from saliency_core.arrays import Array
from saliency_core.errors import SaliencyError, WorkerError
from saliency_core.workers.frames import pack
from saliency_core.workers.private import Upload
from saliency_core.workers.run import CrashError

State = Literal["queued", "running", "done", "failed", "cancelled"]
Key = tuple[str, str]  # (session, panel)
BEGUN = "begun"


@dataclass(frozen=True)
class Request:
    """What to compute: a task by name, plain JSON params and arrays; equal requests have equal fingerprints.

    `params["model"]`, if it is text, names the model, so that a worker that has it open is preferred. A
    `background` request runs only when nothing else waits, and is the first to be dropped. A request on an
    `upload` runs in the confined worker of that upload and nowhere else; its task finds the model and a
    folder to write in as `params["upload"]["path"]` and `["scratch"]`. `begun` is an earlier answer from
    which the task can go on; it only saves work, so it has no part in the fingerprint.
    """

    task: str
    params: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    background: bool = False
    upload: Upload | None = None
    begun: Result | None = None

    def __post_init__(self) -> None:
        pack({"task": self.task, "params": dict(self.params)}, self.arrays)  # refuses what cannot be sent
        object.__setattr__(self, "arrays", {name: _frozen(array) for name, array in self.arrays.items()})

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the task, the params, the id of the upload and every byte of the arrays."""
        digest = hashlib.sha256()
        head = {"task": self.task, "params": _sorted(self.params)}
        if self.upload is not None:
            head["upload"] = self.upload.id
        for part in pack(head, dict(sorted(self.arrays.items()))):
            digest.update(part)
        return digest.hexdigest()

    def sent(self) -> tuple[Mapping[str, Any], Mapping[str, Array]]:
        """Return params and arrays as the task gets them; an answer to go on from is in both as `begun`."""
        if self.begun is None:
            return self.params, self.arrays
        carried = {f"{BEGUN} {name}": array for name, array in self.begun.arrays.items()}
        return {**self.params, BEGUN: dict(self.begun.message)}, {**self.arrays, **carried}

    @property
    def lane(self) -> str:
        """Which workers may compute it: the one of an upload, by its id, or the shared ones."""
        return self.upload.id if self.upload else ""


@dataclass(frozen=True)
class Progress:
    """How far a job is: `eta_s` is the time that is left at the pace so far, None before there is one."""

    done: float
    total: float
    message: str
    eta_s: float | None


@dataclass(frozen=True)
class Result:
    """What a task gave: a message of plain JSON values and read-only arrays, for exactly one fingerprint."""

    message: Mapping[str, Any]
    arrays: Mapping[str, Array]
    fingerprint: str
    seconds: float

    @cached_property
    def nbytes(self) -> int:
        """The memory it takes, roughly."""
        text = len(json.dumps(dict(self.message)))
        return text + sum(array.nbytes for array in self.arrays.values())


@dataclass(eq=False)
class Job:
    """One request of one panel. Its fields are set by the job table and only read by others."""

    key: Key
    request: Request
    label: str
    lock: threading.RLock = field(repr=False)
    state: State = "queued"
    progress: Progress | None = None
    partial: Result | None = None
    result: Result | None = None
    error: SaliencyError | None = None
    submitted_at: float = field(default_factory=time.monotonic)
    ended_at: float | None = None

    def __post_init__(self) -> None:
        self.background = self.request.background
        self._changed = threading.Condition(self.lock)
        begun = self.request.begun
        if begun is not None and begun.fingerprint == self.fingerprint:
            self.partial = begun  # the same map, not the beginning of a longer one

    @property
    def fingerprint(self) -> str:
        """The tag of the request; show a result only where it is what the page asks now."""
        return self.request.fingerprint

    @property
    def session(self) -> str:
        """Who asked."""
        return self.key[0]

    @property
    def ended(self) -> bool:
        """Whether it is done, failed or cancelled; it never changes after that."""
        return self.ended_at is not None

    @property
    def holds(self) -> tuple[Array | Result, ...]:
        """What it keeps in memory: what was asked of, and what is known."""
        known = (one for one in (self.result, self.partial) if one is not None)
        return (*known, *self.request.arrays.values())

    @property
    def error_id(self) -> str:
        """The id under which the log has the details of an unforeseen failure, or nothing."""
        return self.error.error_id if isinstance(self.error, CrashError) else ""

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed the next time: the worker failed, not the request."""
        return self.state == "failed" and isinstance(self.error, WorkerError)

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most so long; whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self.ended, seconds)

    def end(self, state: State, result: Result | None = None, error: SaliencyError | None = None) -> None:
        """Set the end, once; the job table calls this. What can be gone on from is kept."""
        with self._changed:
            self.result, self.error = result, error
            if state != "cancelled" and not isinstance(error, WorkerError):
                self.partial = None
            if self.request.begun is not None:
                self.request = replace(self.request, begun=None)
            self.state, self.ended_at = state, time.monotonic()
            self._changed.notify_all()


def _frozen(array: Array) -> Array:
    """The same numbers where nobody can change them."""
    kept = np.asarray(array, order="C")
    if kept.flags.writeable:
        kept = kept.copy()
        kept.flags.writeable = False
    return kept


def _sorted(params: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(dict(params), sort_keys=True, default=lambda value: value.item()))
