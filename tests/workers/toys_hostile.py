"""Tasks of a worker that was taken over by a stranger's model: what it tries, and what came of it."""

import ctypes
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from saliency_core.workers import sandbox
from tests.workers.toys import chatter, die, echo, flood, frame, garble, hang, hungry, steps, surprise, who


def attempt(params, arrays, report):
    """Do one thing and say what the system answered."""
    try:
        return {"got": str(WAYS[params["way"]](params))}, {}
    except (OSError, MemoryError, ValueError, subprocess.SubprocessError) as error:
        return {"refused": type(error).__name__, "errno": getattr(error, "errno", None)}, {}


def _native(name, *arguments):
    library = ctypes.CDLL(None, use_errno=True)
    answer = getattr(library, name)(*arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), name)
    return answer


WAYS = {
    "read": lambda p: Path(p["path"]).read_text(),
    "list": lambda p: os.listdir(p["path"]),
    "read by descriptor": lambda p: _native("open", p["path"].encode(), 0),
    "write": lambda p: Path(p["path"]).write_text("written"),
    "append": lambda p: os.open(p["path"], os.O_WRONLY | os.O_APPEND),
    "mkdir": lambda p: Path(p["path"]).mkdir(),
    "unlink": lambda p: Path(p["path"]).unlink(),
    "truncate": lambda p: os.truncate(p["path"], 0),
    "chmod": lambda p: os.chmod(p["path"], 0o777),
    "chown": lambda p: os.chown(p["path"], 0, 0),
    "utime": lambda p: os.utime(p["path"], (0, 0)),
    "rename": lambda p: os.rename(p["path"], p["upload"]["scratch"] + "/taken"),
    "link": lambda p: os.link(p["path"], p["upload"]["scratch"] + "/taken"),
    "symlink": lambda p: os.symlink(p["path"], p["upload"]["scratch"] + "/taken"),
    "fchmod": lambda p: os.fchmod(os.open(p["upload"]["path"], os.O_RDONLY), 0o777),
    "connect": lambda p: socket.create_connection(("127.0.0.1", p["port"]), 2),
    "listen": lambda p: socket.create_server(("127.0.0.1", 0)),
    "unix": lambda p: socket.socket(socket.AF_UNIX),
    "exec": lambda p: os.execv(sys.executable, [sys.executable, "-c", ""]),
    "run": lambda p: subprocess.run([sys.executable, "-c", ""], check=True),
    "fork": lambda p: os.fork(),
    "signal": lambda p: os.kill(p["parent"], 0),
    "signal the group": lambda p: os.kill(0, 0),
    "signal by file": lambda p: __import__("fcntl").fcntl(0, 8, p["parent"]),
    "limit": lambda p: __import__("resource").prlimit(p["parent"], 7),
    "renice": lambda p: os.setpriority(os.PRIO_PROCESS, p["parent"], 19),
    "environment of the parent": lambda p: Path(f"/proc/{p['parent']}/environ").read_bytes(),
    "ptrace": lambda p: _native("ptrace", 16, p["parent"], 0, 0),
    "outlive": lambda p: _native("prctl", 1, 0, 0, 0, 0),
    "session": lambda p: os.setsid(),
    "shared memory": lambda p: __import__("mmap").mmap(-1, 1 << 20),
    "large file": lambda p: os.truncate(
        os.open(p["upload"]["scratch"] + "/large", os.O_RDWR | os.O_CREAT), 1 << 40
    ),
    "raise a limit": lambda p: __import__("resource").setrlimit(2, (-1, -1)),
    "many files": lambda p: [os.open("/dev/null", os.O_RDONLY) for _ in range(1000)],
}


def scratch(params, arrays, report):
    """Use the scratch folder as a task may, and leave a mess in it."""
    folder = Path(params["upload"]["scratch"])
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("mine")
    (folder / "inner" / "file").rename(folder / "moved")
    seen = (
        (folder / "moved").read_text(),
        oct(folder.stat().st_mode & 0o777),
        Path(params["upload"]["path"]).read_text(),
    )
    (folder / "closed").mkdir(0)
    os.chdir(folder)
    for _ in range(params.get("depth", 0)):
        os.mkdir("deeper")
        os.chdir("deeper")
    return {"seen": seen, "folder": str(folder), "held": sorted(sandbox.held())}, {}


def fill(params, arrays, report):
    """Fill the disk, file by file."""
    for number in range(params["files"]):
        Path(params["upload"]["scratch"], str(number)).write_bytes(bytes(params["bytes"]))
    time.sleep(60)
    return {}, {}


def spin(params, arrays, report):
    """Use the processor in a thread that outlasts the task."""
    threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
    return {}, {}


def talk(params, arrays, report):
    """Say the same thing again and again, as fast as the pipe takes it."""
    end = time.monotonic() + params["seconds"]
    count = 0
    while time.monotonic() < end:
        report._send(
            {"type": "progress", "run": report.run, "done": 1, "total": 2, "message": "x" * 1000}, {}
        )
        count += 1
    return {"count": count}, {}


def pieces(params, arrays, report):
    """Share work, which only this worker may do."""
    parts = [({"n": n}, {"x": np.float32([n])}) for n in range(4)]
    return {"pids": [message["n"] for message, _ in report.share("echo", parts)]}, {}


TASKS = {
    task.__name__: task
    for task in (
        attempt,
        chatter,
        die,
        echo,
        fill,
        flood,
        frame,
        garble,
        hang,
        hungry,
        pieces,
        scratch,
        spin,
        steps,
        surprise,
        talk,
        who,
    )
}
