"""Whose turn it is: computations that wait or run, and the sessions that they count for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from saliency_core.workers.job import Job, Request
from saliency_core.workers.run import Run

SESSIONS = 4096  # the last turns of so many sessions are remembered


@dataclass(eq=False)
class Work:
    """One computation and the jobs that wait for it; without any it is wound down."""

    request: Request
    number: int
    jobs: list[Job] = field(default_factory=list)
    run: Run | None = None
    payer: str = ""  # the session whose turn it takes
    put_off: bool = False  # stopped to make room, to be started again
    tries: int = 0
    started_at: float = 0.0

    @property
    def background(self) -> bool:
        """Whether nobody waits for it in the foreground."""
        return all(job.background for job in self.jobs)

    @property
    def fingerprint(self) -> str:
        """The tag of the request."""
        return self.request.fingerprint


class Turns:
    """The wanted works by fingerprint, in order of arrival, and those that are being wound down."""

    def __init__(self, running_per_session: int) -> None:
        self.works: OrderedDict[str, Work] = OrderedDict()
        self._winding: set[Work] = set()
        self._served: OrderedDict[str, int] = OrderedDict()  # when each session had its last turn
        self._running_per_session = running_per_session
        self._arrived = self._started = 0

    def join(self, job: Job) -> bool:
        """Let a job wait for its computation; True if another job already does."""
        work = self.works.get(job.fingerprint)
        shared = work is not None
        if work is None:
            self._arrived += 1
            work = self.works[job.fingerprint] = Work(job.request, self._arrived)
        if work.run is not None and not work.put_off:
            job.state = "running"
        if work.jobs:
            job.progress, job.partial = work.jobs[0].progress, work.jobs[0].partial or job.partial
        work.jobs.append(job)
        self.raise_up(work)
        return shared

    def raise_up(self, work: Work) -> None:
        """A running background work for which somebody now waits is background no more."""
        if work.run is not None and not work.background:
            work.run.background = False

    def leave(self, job: Job) -> Run | None:
        """Take a job away from its computation; returns the run that nobody wants any more, if so."""
        work = self.works[job.fingerprint]
        work.jobs.remove(job)
        if work.jobs:
            if work.payer == job.session:
                work.payer = work.jobs[0].session
            return None
        del self.works[job.fingerprint]
        if work.run is not None:
            self._winding.add(work)
        return work.run

    def begin(self, work: Work, session: str) -> None:
        """Count a start for a session."""
        self._started += 1
        work.payer, work.tries = session, work.tries + 1
        self._served[session] = self._started
        self._served.move_to_end(session)
        if len(self._served) > SESSIONS:
            self._served.popitem(last=False)

    def finish(self, work: Work) -> None:
        """Forget a computation that has ended."""
        work.run = None
        self._winding.discard(work)
        if self.works.get(work.fingerprint) is work:
            del self.works[work.fingerprint]

    def requeue(self, work: Work) -> None:
        """Let a computation wait again, in its old place, to go on from what is known."""
        work.run, work.put_off = None, False
        if (known := work.jobs[0].partial) is not None:
            work.request = replace(work.request, begun=known)
        for job in work.jobs:
            job.state, job.progress = "queued", None

    def forget(self, session: str) -> None:
        """Drop the memory of a session's turns."""
        self._served.pop(session, None)

    def waiting(self) -> list[Work]:
        """Works without a worker in the order of arrival, foreground first."""
        works = [work for work in self.works.values() if work.run is None]
        return sorted(works, key=lambda work: (work.background, work.number))

    def ready(self, background: bool) -> list[tuple[Work, str]]:
        """Works that may start now, each with the session it would count for; the best first."""
        ranked = [
            (self._load(session), self._served.get(session, 0), work.number, session)
            for work in self.works.values()
            if work.run is None and work.background == background
            for session in {job.session for job in work.jobs if job.background == background}
        ]
        by_number = {work.number: work for work in self.works.values()}
        allowed = [row for row in sorted(ranked) if background or row[0] < self._running_per_session]
        return [(by_number[number], session) for _, _, number, session in allowed]

    def background_runs(self) -> Iterator[tuple[Work, Run]]:
        """Background works on a worker that are not being stopped, the newest first."""
        for work in reversed(self.works.values()):
            if work.run is not None and work.run.background and work.run.cancelled_at is None:
                yield work, work.run

    def _load(self, session: str) -> int:
        """Workers that a session occupies in the foreground; an unwanted step worth finishing is free."""
        works = [*self.works.values(), *self._winding]
        runs = [work.run for work in works if work.run is not None and work.payer == session]
        return sum(not (run.background or (run.cancelled_at is not None and run.patient)) for run in runs)
