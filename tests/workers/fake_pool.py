"""A pool without processes, in which a test decides when a run ends."""

import threading
from types import SimpleNamespace

from saliency_core.workers.run import Outcome, Run


class FakePool:
    def __init__(self, count=2):
        self.lock = threading.RLock()
        self.count = count
        self.trouble = None
        self.running = []
        self.started = []  # tasks in the order of their start
        self.on_idle = lambda: None

    def __len__(self):
        return self.count

    def on_trouble(self, call):
        self.give_up = call

    def idle(self):
        return [None] * (self.count - len(self.running))

    def runs(self):
        return list(self.running)

    def start(self, task, params, arrays, *, on_news, on_end, background=False, alone=False):
        process = SimpleNamespace(send=lambda *frame: None)
        run = Run(len(self.started), process, background, on_news, on_end)
        run.task = task
        self.running.append(run)
        self.started.append(task)
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
