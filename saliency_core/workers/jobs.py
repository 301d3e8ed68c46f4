"""The job table of a server: who waits for what, in which order, and what came of it."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, replace

from saliency_core.arrays import read_only
from saliency_core.errors import SaliencyError, WorkerError
from saliency_core.workers.frames import MIB
from saliency_core.workers.job import Job, Key, Progress, Request, Result, State
from saliency_core.workers.pool import Pool
from saliency_core.workers.private import Upload
from saliency_core.workers.results import Results
from saliency_core.workers.run import News, Outcome
from saliency_core.workers.turns import Turns, Work

__all__ = ["BusyError", "Counts", "Job", "JobTable", "Progress", "Request", "Result"]

SLICE_S = 5.0  # after so long a map that can be gone on with makes room for other sessions
TRIES = 3  # starts of one request on workers that were gone before they saw it


class BusyError(SaliencyError):
    """More jobs wait than the server takes."""


@dataclass
class Counts:
    """Jobs so far; every submitted job ends in exactly one of done, failed and cancelled."""

    submitted: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    computed: int = 0  # starts on a worker
    shared: int = 0  # jobs that joined another's computation
    remembered: int = 0  # jobs answered from memory

    @property
    def ended(self) -> int:
        """Jobs that have ended."""
        return self.done + self.failed + self.cancelled


class JobTable:
    """Jobs by (session, panel): latest wins, equal requests are computed once, sessions take turns.

    A session has `running_per_session` jobs running and `queued_per_session` panels waiting at most; a
    server has `queue_limit` computations waiting and remembers the last jobs of `keys_kept` keys. Results by
    fingerprint, and those of the last jobs, stay in memory up to `memory_mib` each. A map that is made in
    rounds makes room for other sessions now and then. All methods may be called from any thread; none waits
    for a worker.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        running_per_session: int = 1,
        queued_per_session: int = 12,
        queue_limit: int = 200,
        keys_kept: int = 512,
        memory_mib: float = 256.0,
    ) -> None:
        self.pool = pool
        self.counts = Counts()
        self._queued_per_session, self._queue_limit = queued_per_session, queue_limit
        self._keys_kept = keys_kept
        self._lock = pool.lock
        self._turns = Turns(running_per_session)
        self._latest: OrderedDict[Key, Job] = OrderedDict()
        self._memory_bytes = memory_mib * MIB
        self._results = Results(self._memory_bytes)
        self._closed = False
        pool.on_idle = self._dispatch
        pool.on_trouble(self._give_up)

    def submit(self, key: Key, request: Request, label: str = "") -> Job:
        """Ask for a computation in place of whatever this key asked before; returns at once.

        Asking again for what is under way or done returns the same job; what failed or was cancelled is
        tried again. Raises BusyError when too many jobs wait, and WorkerError after `close`.
        """
        fingerprint = request.fingerprint  # hashed before the lock is taken
        with self._lock:
            if self._closed:
                raise WorkerError("The server is shutting down.", "Start it again.")
            before = self._latest.get(key)
            if before is not None and before.fingerprint == fingerprint and self._still_good(before, request):
                return before
            known = self._results.get(fingerprint)
            if known is None and fingerprint not in self._turns.works:
                self._make_room(key, request)
            job = Job(key, request, label, self._lock)
            self.counts.submitted += 1
            if before is not None:
                self.cancel(before)
            self._remember(job)
            if known is not None:
                self.counts.remembered += 1
                self._end(job, "done", known)
            elif self.pool.trouble is not None and request.upload is None:
                self._end(job, "failed", error=self.pool.trouble)
            else:
                self.counts.shared += self._turns.join(job)
                self._dispatch()
            return job

    def retry(self, job: Job) -> Job:
        """Ask again for what a job asked; what it knew when it ended is gone on from."""
        return self.submit(job.key, replace(job.request, begun=job.partial), job.label)

    def cancel(self, job: Job) -> None:
        """End a job as cancelled; its computation stops unless somebody else waits for it."""
        with self._lock:
            if job.ended:
                return
            unwanted = self._turns.leave(job)
            self._end(job, "cancelled")
            if unwanted is not None:
                self.pool.cancel(unwanted)
            self._dispatch()

    def latest(self, key: Key) -> Job | None:
        """The last job of a key, whatever became of it."""
        with self._lock:
            return self._latest.get(key)

    def place(self, job: Job) -> int:
        """The place of a job in the queue from 1; 0 when it runs or has ended."""
        with self._lock:
            tags = [work.fingerprint for work in self._turns.waiting()]
            return tags.index(job.fingerprint) + 1 if job.state == "queued" and job.fingerprint in tags else 0

    def waiting(self) -> int:
        """How many computations wait for a worker."""
        with self._lock:
            return len(self._turns.waiting())

    def forget(self, session: str) -> None:
        """Cancel and drop everything of a session that has ended."""
        with self._lock:
            for key in [key for key in self._latest if key[0] == session]:
                self.cancel(self._latest.pop(key))
            self._turns.forget(session)

    def forget_upload(self, upload_id: str) -> None:
        """Cancel all jobs on an uploaded model, end its worker and remove it."""
        with self._lock:
            works = [work for work in self._turns.works.values() if work.request.lane == upload_id]
            for job in [job for work in works for job in work.jobs]:
                self.cancel(job)
        self.pool.forget_upload(upload_id)

    def close(self) -> None:
        """Cancel all jobs and end all processes."""
        with self._lock:
            self._closed = True
            for job in [job for work in self._turns.works.values() for job in work.jobs]:
                self.cancel(job)
        self.pool.close()

    # all of the following is called with the lock held

    def _still_good(self, job: Job, request: Request) -> bool:
        """Whether a job of the same fingerprint answers the request; if so it is as wanted as the newer."""
        if job.state in ("failed", "cancelled"):
            return False
        self._latest.move_to_end(job.key)
        if not job.ended and not request.background:
            job.background = False
            self._turns.raise_up(self._turns.works[job.fingerprint])
            self._dispatch()
        return True

    def _make_room(self, key: Key, request: Request) -> None:
        """Refuse what would wait too long; background jobs are dropped first."""
        waiting = self._turns.waiting()
        panels = {job.key for work in waiting for job in work.jobs if job.session == key[0]} - {key}
        if len(panels) >= self._queued_per_session:
            problem = f"This session already waits for {len(panels)} computations."
            raise BusyError(problem, "Wait for one to finish, or stop it.")
        if len(waiting) < self._queue_limit:
            return
        if request.background or not waiting[-1].background:
            problem = f"The server is busy: this would be place {len(waiting) + 1} in the queue."
            raise BusyError(problem, "Try again in a minute.")
        for job in list(waiting[-1].jobs):
            self.cancel(job)

    def _remember(self, job: Job) -> None:
        """Keep the last job of each key; those that ended longest ago go when they are too many or large."""
        self._latest[job.key] = job
        self._latest.move_to_end(job.key)
        held = {id(one): one.nbytes for each in self._latest.values() for one in each.holds}
        total = sum(held.values())
        for key, each in list(self._latest.items()):
            if len(self._latest) <= self._keys_kept and total <= self._memory_bytes:
                return
            if each.ended:
                del self._latest[key]
                total -= sum(held.pop(id(one), 0) for one in each.holds)

    def _dispatch(self) -> None:
        """Start what may start: foreground first, and background never on the last of several workers.

        What is left over waits: for a worker to be free, in whose way background work shall not be, or for
        the worker of an upload to be made. It is made after all else was started, so that none is ended
        that was just about to be used.
        """
        if self._closed:
            return
        for background in (False, True):
            while turn := self._next(background):
                self._start(*turn)
            for request in {work: work.request for work, _ in self._turns.ready(background)}.values():
                self.pool.want(request.upload)
            if not background:
                self._put_off()

    def _next(self, background: bool) -> tuple[Work, str] | None:
        """The first in turn whose worker is free."""
        room = max(1, len(self.pool) - 1) - sum(run.background for run in self.pool.runs() if not run.lane)
        for work, session in self._turns.ready(background):
            allowed = not background or room > 0 or work.request.lane
            if allowed and self.pool.idle(work.request.upload):
                return work, session
        return None

    def _put_off(self) -> None:
        """Stop background work for foreground work that waits for the same worker; it starts again later."""
        waiting = {work for work, _ in self._turns.ready(background=False)}
        wanted = Counter(work.request.lane for work in waiting)
        for lane, count in wanted.items():
            leaving = sum(run.cancelled_at is not None for run in self.pool.runs() if run.lane == lane)
            runs = [pair for pair in self._turns.background_runs() if pair[1].lane == lane]
            for work, run in runs[: max(0, count - leaving)]:
                work.put_off = True
                self.pool.cancel(run)

    def _start(self, work: Work, session: str) -> None:
        self._turns.begin(work, session)
        self.counts.computed += 1
        work.started_at = time.monotonic()
        params, arrays = work.request.sent()
        work.run = self.pool.start(
            work.request.task,
            params,
            arrays,
            background=work.background,
            upload=work.request.upload,
            on_news=lambda news: self._tell(work, news),
            on_end=lambda outcome: self._conclude(work, outcome),
        )
        for job in work.jobs:
            job.state = "running"

    def _tell(self, work: Work, news: News) -> None:
        """Pass the progress of a computation to its jobs."""
        spent = time.monotonic() - work.started_at
        left = max(0.0, news.total - news.done)
        eta = spent / news.done * left if news.done > 0 else None
        known = None
        if news.arrays:
            arrays = {name: read_only(array) for name, array in news.arrays.items()}
            known = Result(news.answer, arrays, work.fingerprint, spent)
        for job in work.jobs:
            job.progress = Progress(news.done, news.total, news.message, eta)
            job.partial = known or job.partial
        if known is not None and spent >= SLICE_S:
            self._let_others(work)

    def _let_others(self, work: Work) -> None:
        """Put a long computation off if another session waits for its worker."""
        lane = work.request.lane
        waiting = {other for other, _ in self._turns.ready(background=False) if other.request.lane == lane}
        leaving = sum(run.cancelled_at is not None for run in self.pool.runs() if run.lane == lane)
        if work.run is not None and not work.put_off and len(waiting) > leaving:
            work.put_off = True
            self.pool.cancel(work.run)

    def _conclude(self, work: Work, outcome: Outcome) -> None:
        """Give the end of a computation to its jobs, or let it wait again if it was only interrupted."""
        put_off = outcome.state == "cancelled" and work.put_off
        if work.jobs and (put_off or (outcome.state == "unstarted" and work.tries < TRIES)):
            work.tries -= put_off
            self._turns.requeue(work)
            return
        self._turns.finish(work)
        if outcome.state == "done":
            arrays = {name: read_only(array) for name, array in outcome.arrays.items()}
            seconds = time.monotonic() - work.started_at
            result = Result(outcome.message, arrays, work.fingerprint, seconds)
            self._results.put(result)
            for job in work.jobs:
                self._end(job, "done", result)
        for job in work.jobs:
            if not job.ended:
                self._end(job, "cancelled" if outcome.state == "cancelled" else "failed", error=outcome.error)

    def _give_up(self, error: SaliencyError, upload: Upload | None = None) -> None:
        """Fail what waits when no shared worker, or that of an upload, can start."""
        for work in self._turns.waiting():
            if work.request.lane != (upload.id if upload else ""):
                continue
            self._turns.finish(work)
            for job in work.jobs:
                self._end(job, "failed", error=error)

    def _end(
        self, job: Job, state: State, result: Result | None = None, error: SaliencyError | None = None
    ) -> None:
        setattr(self.counts, state, getattr(self.counts, state) + 1)
        job.end(state, result, error)
