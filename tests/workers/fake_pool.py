"""A pool without processes, in which a test decides when a run ends."""

import threading
from types import SimpleNamespace

from saliency_core.workers.run import Outcome, Run


class FakePool:
    def __init__(self, count=2):
        self.lock = threading.RLock()
        self.count = count
        self.trouble = None
        self.standing_by = False
        self.running = []
        self.started = []  # tasks in the order of their start
        self.given = None  # the params of the last start
        self.made, self.wanted = [], []  # uploads that have a worker, and those that asked for one
        self.on_idle = lambda: None

    def __len__(self):
        return self.count

    def on_trouble(self, call):
        self.give_up = call

    def idle(self, upload=None):
        if upload is not None:
            return (
                [upload] if upload in self.made and not any(r.lane == upload.id for r in self.running) else []
            )
        return [None] * (self.count - sum(not run.lane for run in self.running))

    def want(self, upload):
        if upload is not None and upload not in self.made:
            self.wanted.append(upload)

    def stand_by(self):
        self.standing_by = True

    def runs(self):
        return list(self.running)

    def start(self, task, params, arrays, *, on_news, on_end, background=False, alone=False, upload=None):
        process = SimpleNamespace(send=lambda *frame: None)
        lane = upload.id if upload else ""
        run = Run(len(self.started), process, background, on_news, on_end, lane=lane)
        run.task = task
        self.running.append(run)
        self.started.append(task)
        self.given = params
        return run

    def cancel(self, run):
        run.cancelled_at = 1.0

    def end(self, task, state="done", error=None, **message):
        """End the run of a task; a cancelled one ends as cancelled."""
        with self.lock:
            run = next(run for run in self.running if run.task == task)
            self.running.remove(run)
            run.on_end(Outcome("cancelled" if run.cancelled_at else state, message, error=error))
            self.on_idle()

    def close(self):
        for run in list(self.running):
            run.cancelled_at = 1.0
            self.running.remove(run)
            run.on_end(Outcome("cancelled"))
