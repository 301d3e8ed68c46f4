"""What a task sees of the outside: progress, cancelling, and other workers that take a share.

A task is a function `task(params, arrays, report) -> (message, arrays)`: params and message are plain JSON
values, arrays are NumPy arrays by name. `Report` alone serves a task called in this process; in a worker
process it is a `PipeReport`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from saliency_core.arrays import Array
from saliency_core.errors import Cancelled, NotFiniteError
from saliency_core.workers.frames import Arrays, Message, Send, not_finite, settle

Outcome = tuple[Message, Arrays]
Piece = tuple[Mapping[str, Any], Mapping[str, Array]]  # the params and arrays of one part of a job
Partial = tuple[Mapping[str, Any], Mapping[str, Array]]  # a message and arrays, as an answer would be
OnPiece = Callable[[int, Outcome], None]


class Report:
    """Tells how far a computation is and whether it is still wanted; this one runs alone."""

    def __init__(self, tasks: Mapping[str, Task] | None = None) -> None:
        self.tasks: Mapping[str, Task] = tasks or {}
        self._stop = threading.Event()

    def cancel(self) -> None:
        """Ask the task to stop at its next check; callable from any thread."""
        self._stop.set()

    def check(self) -> None:
        """Raise Cancelled if nobody wants the result any more."""
        if self._stop.is_set():
            raise Cancelled("The computation was stopped.")

    def progress(self, done: float, total: float, message: str = "", partial: Partial | None = None) -> None:
        """Tell how far the work is, with what an answer would be by now if there is one; raises Cancelled."""
        self.check()

    @contextmanager
    def uninterrupted(self, seconds: float = 60.0) -> Iterator[None]:
        """Mark a step that cannot stop half-way and is worth finishing, such as opening a model."""
        yield

    def share(self, task: str, pieces: Sequence[Piece], on_piece: OnPiece | None = None) -> list[Outcome]:
        """Compute `task` for every piece, with idle workers' help if there are any; results in order.

        `on_piece(index, result)` is called here as each piece arrives, in any order. Raises Cancelled
        between pieces, and whatever a piece raises.
        """
        alone = Lone(self)
        results = []
        for index, piece in enumerate(pieces):
            self.check()
            results.append(compute(self.tasks[task], piece, alone))
            if on_piece is not None:
                on_piece(index, results[-1])
        return results


Task = Callable[[Message, Arrays, Report], tuple[Mapping[str, Any], Mapping[str, Array]]]


class Lone(Report):
    """The report of one piece of a shared job: it can be stopped, and its progress is nobody's business."""

    def __init__(self, whole: Report) -> None:
        super().__init__(whole.tasks)
        self._stop = whole._stop


class PipeReport(Report):
    """A report that speaks to the parent process."""

    def __init__(self, run: int, send: Send, tasks: Mapping[str, Task], alone: bool = False) -> None:
        super().__init__(tasks)
        self.run = run
        self._send = send
        self._alone = alone
        self._board: Board | None = None
        self._shared = 0  # pieces of all shares so far: a late answer never lands in a newer share
        self._lock = threading.Lock()  # guards the board against the thread that reads the pipe

    def progress(self, done: float, total: float, message: str = "", partial: Partial | None = None) -> None:
        self.check()
        answer, arrays = settle(*partial) if partial is not None else ({}, {})
        require_finite(arrays)
        news = {"type": "progress", "run": self.run, "done": done, "total": total, "message": message}
        self._send({**news, "answer": answer} if answer else news, arrays)

    @contextmanager
    def uninterrupted(self, seconds: float = 60.0) -> Iterator[None]:
        self.check()
        self._send({"type": "patience", "run": self.run, "seconds": seconds}, {})
        try:
            yield
        finally:
            self._send({"type": "patience", "run": self.run, "seconds": 0}, {})
        self.check()

    def share(self, task: str, pieces: Sequence[Piece], on_piece: OnPiece | None = None) -> list[Outcome]:
        if self._alone or len(pieces) < 2:
            return super().share(task, pieces, on_piece)
        with self._lock:
            board = self._board = Board(task, pieces, self._shared)
            self._shared += len(pieces)
        self._send({"type": "offer", "run": self.run, "pieces": len(pieces) - 1}, {})
        try:
            self._work_off(board, on_piece)
        finally:
            with self._lock:
                self._board = None
            self._send({"type": "offer", "run": self.run, "pieces": 0}, {})
        return board.in_order()

    def _work_off(self, board: Board, on_piece: OnPiece | None) -> None:
        alone = Lone(self)
        slowest = 0.0
        while True:
            self.check()
            for index, result in board.arrived():
                if on_piece is not None:
                    on_piece(index, result)
            index_or_none = board.next_for_owner(patience=0.5 + 2 * slowest)
            if index_or_none is not None:
                began = time.monotonic()
                result = compute(self.tasks[board.task], board.pieces[index_or_none], alone)
                slowest = max(slowest, time.monotonic() - began)
                board.deliver(index_or_none, result)
            elif board.complete():
                return

    def hear(self, message: Message, arrays: Arrays) -> None:
        """Take in what the parent says about this run; called by the thread that reads the pipe."""
        with self._lock:
            board = self._board
        match message["type"]:
            case "cancel":
                self.cancel()
            case "lent" if board is not None:
                board.deliver(message["index"] - board.first, (message["message"], arrays))
            case "returned" if board is not None:
                board.give_back(message["index"] - board.first)
            case "take":
                index = board.next_for_lender() if board is not None else None
                if board is None or index is None:
                    self._send({"type": "offer", "run": self.run, "pieces": 0}, {})
                    return
                params, given = board.pieces[index]
                lend = {"type": "lend", "run": self.run, "index": board.first + index, "task": board.task}
                self._send({**lend, "params": dict(params)}, dict(given))


class Board:
    """The pieces of one shared job: the owner takes them from the front, lenders from the back.

    A piece that a lender keeps too long is computed by the owner as well; the first result counts, and
    both are the same, because the same function computes them from the same numbers.
    """

    def __init__(self, task: str, pieces: Sequence[Piece], first: int = 0) -> None:
        self.task = task
        self.pieces = pieces
        self.first = first  # the number of piece 0 among all pieces of the job
        self._open = deque(range(len(pieces)))
        self._lent: list[int] = []
        self._results: dict[int, Outcome] = {}
        self._news: deque[int] = deque()
        self._changed = threading.Condition()
        self._idle_since: float | None = None

    def next_for_owner(self, patience: float) -> int | None:
        """The next piece to compute here, or None after a short wait for lenders."""
        with self._changed:
            if self._open:
                self._idle_since = None
                return self._open.popleft()
            if not self._lent or self._news:
                return None
            now = time.monotonic()
            self._idle_since = self._idle_since or now
            if now - self._idle_since > patience:
                self._idle_since = None
                return self._lent.pop(0)
            self._changed.wait(0.02)
            return None

    def next_for_lender(self) -> int | None:
        """A piece to give away, or None when none is open."""
        with self._changed:
            if not self._open:
                return None
            self._lent.append(self._open.pop())
            return self._lent[-1]

    def give_back(self, index: int) -> None:
        """Reopen a piece whose lender is busy, failed or died."""
        with self._changed:
            if index in self._lent:
                self._lent.remove(index)
                self._open.append(index)
                self._changed.notify_all()

    def deliver(self, index: int, result: Outcome) -> None:
        """Enter the result of a piece, once."""
        with self._changed:
            if index in self._lent:
                self._lent.remove(index)
            if 0 <= index < len(self.pieces) and index not in self._results:
                self._results[index] = result
                self._news.append(index)
            self._changed.notify_all()

    def arrived(self) -> Iterator[tuple[int, Outcome]]:
        """The results that nobody has been told about."""
        while self._news:
            index = self._news.popleft()
            yield index, self._results[index]

    def complete(self) -> bool:
        """Whether every piece has a result and everybody knows."""
        return len(self._results) == len(self.pieces) and not self._news

    def in_order(self) -> list[Outcome]:
        """All results, in the order of the pieces."""
        return [self._results[index] for index in range(len(self.pieces))]


def compute(task: Task, piece: Piece, report: Report) -> Outcome:
    """Run one task and return its result as it would arrive over a pipe, checked to be finite."""
    message, arrays = task(dict(piece[0]), dict(piece[1]), report)
    result = settle(message, arrays)
    require_finite(result[1])
    return result


def require_finite(arrays: Mapping[str, Array]) -> None:
    """Raise NotFiniteError if a float array holds NaN or infinity."""
    name = not_finite(arrays)
    if name is not None:
        raise NotFiniteError(
            f"The computation gave numbers that are not finite (in {name!r}).",
            "Try another method, image or target; the model may overflow on this input.",
        )
