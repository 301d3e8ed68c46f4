"""Idle workers take pieces of a heavy job; the job never depends on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saliency_core.workers.frames import Arrays, Message
from saliency_core.workers.run import News, Outcome, Run, expect

if TYPE_CHECKING:
    from saliency_core.workers.pool import Pool


class Loans:
    """Asks runs that offer pieces for one whenever a worker is idle and no job waits.

    All methods are called with the pool's lock held. A piece whose lender fails, dies or is cancelled goes
    back to its owner, who computes it and lends no more.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def offer(self, run: Run, message: Message) -> None:
        """Note that a run has, or no longer has, pieces to give away."""
        run.offering = expect(message, "pieces", int) > 0 and not run.let_down
        if not run.offering:
            run.asked = 0

    def feed(self) -> None:
        """Ask for as many pieces as there are workers that no job wanted."""
        runs = [run for run in self._pool.runs() if run.offering and run.cancelled_at is None]
        spare = len(self._pool.idle()) - sum(run.asked for run in runs)
        for run in runs:
            if spare > 0 and not run.background:
                spare -= 1
                run.asked += 1
                run.process.send({"type": "take", "run": run.number}, {})

    def lend(self, owner: Run, message: Message, arrays: Arrays) -> None:
        """Give a piece to an idle worker, or back to its owner when there is none left."""
        asked, owner.asked = owner.asked, max(0, owner.asked - 1)
        piece = expect(message, "index", int)
        task, params = expect(message, "task", str), expect(message, "params", dict)

        def ended(outcome: Outcome) -> None:
            if owner.loans.pop(piece, None) is None:
                return
            if outcome.state == "done":
                lent = {"type": "lent", "run": owner.number, "index": piece, "message": outcome.message}
                owner.process.send(lent, outcome.arrays)
            else:
                owner.let_down, owner.offering = True, False
                self._give_back(owner, piece)

        loan = None
        if asked and owner.cancelled_at is None and piece not in owner.loans:
            loan = self._pool.start(task, params, arrays, on_news=_ignore, on_end=ended, alone=True)
        if loan is None:
            self._give_back(owner, piece)
        else:
            owner.loans[piece] = loan

    def settle(self, owner: Run) -> None:
        """Stop what others still compute for a run that has ended."""
        loans = list(owner.loans.values())
        owner.loans.clear()
        for loan in loans:
            self._pool.cancel(loan)

    def _give_back(self, owner: Run, piece: int) -> None:
        owner.process.send({"type": "returned", "run": owner.number, "index": piece}, {})


def _ignore(news: News) -> None:
    """The progress of a piece is its owner's business."""
