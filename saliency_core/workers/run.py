"""One request on one worker: what is running, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from saliency_core import errors
from saliency_core.arrays import Array
from saliency_core.errors import SaliencyError, WorkerError
from saliency_core.workers.frames import Arrays, FrameError, Message
from saliency_core.workers.process import Process

LARGEST = 1e30  # of a count of points
SHOWN = 1000  # characters of a worker's error that are passed on
AGAIN = "Nothing else was disturbed. Try again; if it happens again, choose a smaller image, model or chunk."


class CrashError(WorkerError):
    """A computation that failed for a reason nobody foresaw; the log has the details under `error_id`."""

    def __init__(self, problem: str, hint: str = AGAIN, error_id: str = "") -> None:
        super().__init__(problem, hint)
        self.error_id = error_id


@dataclass(frozen=True)
class Outcome:
    """How a run ended; `unstarted` means that the worker was gone before it saw the request."""

    state: Literal["done", "failed", "cancelled", "unstarted"]
    message: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    error: SaliencyError | None = None


@dataclass(frozen=True)
class News:
    """One progress report of a run; a partial answer if it has any is told like a whole one."""

    done: float
    total: float
    message: str
    arrays: Mapping[str, Array]
    answer: Mapping[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Run:
    """A request that a worker is computing."""

    number: int
    process: Process
    background: bool
    on_news: Callable[[News], None]
    on_end: Callable[[Outcome], None]
    lent: bool = False  # a piece of another worker's job
    lane: str = ""  # the id of the uploaded model whose worker computes it
    began: float = field(default_factory=time.monotonic)
    acknowledged: bool = False
    cancelled_at: float | None = None
    patient_until: float = 0.0
    offering: bool = False  # has pieces that an idle worker may take
    let_down: bool = False  # a lender failed: it computes the rest alone
    asked: int = 0  # pieces asked for and not yet received
    loans: dict[int, Run] = field(default_factory=dict)  # by number of the piece

    @property
    def patient(self) -> bool:
        """Whether it is in a step that is worth finishing even if nobody waits for it."""
        return time.monotonic() < self.patient_until

    def be_patient(self, seconds: float) -> None:
        """Let it finish such a step; 0 when the step is over, which renews the time to stop."""
        now = time.monotonic()
        self.patient_until = now + seconds
        if seconds == 0 and self.cancelled_at is not None:
            self.cancelled_at = now


def read_news(message: Message, arrays: Arrays) -> News:
    """Check a progress report."""
    done, total = (_number(message, name) for name in ("done", "total"))
    answer = expect(message, "answer", dict) if "answer" in message else {}
    return News(done, total, expect(message, "message", str), arrays, answer)


def _number(message: Message, name: str) -> float:
    """A number that one can compute with: a whole one from a pipe may have thousands of digits."""
    value = expect(message, name, (int, float))
    if not abs(value) <= LARGEST:
        raise FrameError(f"The worker sent a message with an impossible {name!r}.")
    return value  # type: ignore[no-any-return]


def read_outcome(message: Message, arrays: Arrays) -> Outcome:
    """Check the last message of a run."""
    match message.get("type"):
        case "done":
            return Outcome("done", expect(message, "message", dict), arrays)
        case "cancelled":
            return Outcome("cancelled")
        case "error":
            name, problem, hint = (expect(message, name, str)[:SHOWN] for name in ("name", "problem", "hint"))
            known = getattr(errors, name, None)
            made = known if isinstance(known, type) and issubclass(known, SaliencyError) else SaliencyError
            return Outcome("failed", error=made(problem, hint))
        case "crash":
            name = expect(message, "id", str)
            problem = f"The computation failed unexpectedly (error {name})."
            return Outcome("failed", error=CrashError(problem, error_id=name))
    raise FrameError(f"The worker sent a message of unknown type {str(message.get('type'))[:50]!r}.")


def expect(message: Message, name: str, kind: type | tuple[type, ...]) -> Any:
    """A field of a message, or FrameError if it is missing or of another type."""
    value = message.get(name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise FrameError(f"The worker sent a message with a missing or wrong {name!r}.")
    return value
