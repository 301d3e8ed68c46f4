"""Small tasks that do what a worker must survive; none needs TensorFlow."""

import os
import signal
import sys
import time

import numpy as np

from saliency_core.errors import ImageError

EVENTS = []


def echo(params, arrays, report):
    return dict(params), arrays


def who(params, arrays, report):
    return {"pid": os.getpid(), "path": sys.path, "environment": dict(os.environ)}, {}


def steps(params, arrays, report):
    """Sleep in steps with a progress report after each."""
    count, pause = params.get("count", 5), params.get("pause", 0.02)
    for step in range(count):
        report.progress(step, count, f"step {step}", ({}, {"sum": np.float32([step])}))
        time.sleep(pause)
    return {"steps": count}, {"sum": np.float32([count])}


def hang(params, arrays, report):
    time.sleep(60)
    return {}, {}


def opening(params, arrays, report):
    """A step that cannot be interrupted and is worth finishing."""
    with report.uninterrupted(30):
        time.sleep(params["seconds"])
    return {}, {}


def die(params, arrays, report):
    how = params["how"]
    if how == "exit":
        os._exit(0)
    elif how == "abort":
        os.abort()
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "sys_exit":
        sys.exit(3)
    return {}, {}


def garble(params, arrays, report):
    """Write bytes of the task's choice where frames belong."""
    sink = report._send.__self__._sink
    sink.write(bytes(arrays["bytes"]))
    sink.flush()
    if params.get("leave", True):
        os._exit(0)
    time.sleep(60)
    return {}, {}


def frame(params, arrays, report):
    """Send a well-formed frame whose content makes no sense."""
    report._send({"run": report.run, **params["frame"]}, arrays)
    time.sleep(params.get("seconds", 60))
    return {}, {}


def chatter(params, arrays, report):
    """Print and read where the protocol would be, if it were not protected."""
    print("a stray print")
    os.write(1, b"\x00\x00\x00\x02{}")
    sys.stderr.write("a line \x1b[31m of log\n")
    sys.stderr.flush()
    return {"stdin": sys.stdin.read(), "many": os.system("echo from a child process")}, {}


def flood(params, arrays, report):
    for line in range(params["lines"]):
        sys.stderr.write(f"line {line}\n")
    sys.stderr.flush()
    return {}, {}


def wrong_image(params, arrays, report):
    raise ImageError("The picture is upside down.", "Turn it.")


def surprise(params, arrays, report):
    raise ZeroDivisionError("nobody saw this coming")


def not_finite(params, arrays, report):
    return {}, {"values": np.float32([1, np.nan])}


def odd_type(params, arrays, report):
    return {}, {"values": np.float16([1])}


def exhausted(params, arrays, report):
    """Fail as TensorFlow and the library below it do."""
    raise type(params["kind"], (RuntimeError,), {})(params["words"])


def hungry(params, arrays, report):
    return {}, {"block": np.ones(params["mib"] << 17)}


def grow(params, arrays, report):
    EVENTS.append(np.ones(params["mib"] << 17))
    return {"pid": os.getpid()}, {}


def square(params, arrays, report):
    """One piece of a shared job; dies, fails or waits when it runs on a lender, if asked to."""
    report.check()
    if os.getpid() != params["owner"]:
        if params.get("lender") == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if params.get("lender") == "fail":
            raise ImageError("not here")
        if params.get("lender") == "hang":
            time.sleep(60)
    time.sleep(params.get("pause", 0.0))
    return {"pid": os.getpid(), "pair": (1, 2)}, {"square": arrays["x"] ** 2}


def shared(params, arrays, report):
    """Square the rows of x, each as a piece of its own."""
    extra = {"owner": os.getpid(), "pause": params.get("pause", 0.0), "lender": params.get("lender", "")}
    pieces = [(extra, {"x": row}) for row in arrays["x"]]
    seen = []
    results = report.share("square", pieces, lambda index, result: seen.append(index))
    assert sorted(seen) == list(range(len(pieces)))
    report.progress(1, 1)
    pids = {message["pid"] for message, _ in results}
    pairs = [message["pair"] for message, _ in results]
    return {"workers": len(pids), "pairs": pairs}, {"squares": np.stack([a["square"] for _, a in results])}


TASKS = {
    name: task
    for name, task in list(globals().items())
    if callable(task) and getattr(task, "__module__", "") == __name__
}
