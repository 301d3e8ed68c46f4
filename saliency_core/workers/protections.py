"""Which protections hold on this machine, found out by trying to break them."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from saliency_core.workers.process import ROOT, confined_environment
from saliency_core.workers.sandbox import UNCONFINED, Confinement

Tier = Literal["full", "partial", "none"]
MEMORY_MIB, FILE_MIB, PATIENCE_S = 256, 4, 30.0
BEGIN = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from saliency_core.workers.trial import main; main(sys.argv[2:])"
)

# id: what holds, how it was tried
ROWS = {
    "read": ("No file but the model can be read.", "It tried to open a file planted beside it."),
    "write": (
        "Nothing is written outside a scratch folder.",
        "It tried to make, empty, move and link a file.",
    ),
    "change": ("Permissions and times of files stay.", "It tried to set those of the planted file."),
    "peek": (
        "Other processes cannot be looked into.",
        "It tried to open memory and environment of the server.",
    ),
    "signal": ("Other processes cannot be ended.", "It tried a signal and a limit on the server."),
    "network": ("There is no network.", "It tried to connect within this machine, and to listen."),
    "processes": ("No other process can be made.", "It tried to fork."),
    "programs": ("No program can be started.", "It tried to run Python."),
    "kernel": ("Rare kernel calls are refused.", "It tried nine of them, such as mount and bpf."),
    "privileges": ("No privileges can be gained.", "The kernel was asked whether this is locked."),
    "memory": ("Memory is limited.", "It asked for twice the limit, and for memory to share."),
    "file_size": ("The size of files is limited.", "It tried to make a file of twice the limit."),
    "environment": ("The server's environment is hidden.", "It searched for a word planted there."),
    "orphan": ("It ends when the server ends.", "The kernel was asked what it will do."),
    "namespace": ("It has a network of its own, an empty one.", "Its network's name was compared."),
}
WALLS = (
    "read",
    "write",
    "change",
    "peek",
    "signal",
    "network",
    "processes",
    "programs",
    "kernel",
    "privileges",
)
EXTRA = {"namespace"}  # a second wall where the system allows it


@dataclass(frozen=True)
class Protection:
    """One promise of the sandbox, whether it holds here, and how that was tried."""

    id: str
    title: str
    holds: bool
    how: str


@dataclass(frozen=True)
class Protections:
    """All of them, and what they amount to: "full", "partial" or "none"."""

    tier: Tier
    rows: tuple[Protection, ...]

    @property
    def graphs_allowed(self) -> bool:
        """Whether strangers' graph files may be opened: on "full", or on the operator's word."""
        return self.tier == "full" or os.environ.get(UNCONFINED) == "allow"

    def facts(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            **asdict(self),
            "rows": [asdict(row) for row in self.rows],
            "graphs_allowed": self.graphs_allowed,
        }


_lock = threading.Lock()


def protections() -> Protections:
    """Return what holds here, tried once for this process; it takes about a quarter of a second."""
    with _lock:
        return _tried()


@cache
def _tried() -> Protections:
    return judge(attempt(confined=True) if sys.platform == "linux" else {})


def judge(holds: Mapping[str, bool]) -> Protections:
    """Word the outcome of the attempts; what was not tried does not hold."""
    where = "" if holds else "It was not tried: this system has none of the means. "
    rows = tuple(
        Protection(name, title, holds.get(name, False), where + how) for name, (title, how) in ROWS.items()
    )
    tier: Tier = "partial"
    if all(row.holds for row in rows if row.id not in EXTRA):
        tier = "full"
    elif not any(holds.get(name) for name in WALLS):
        tier = "none"
    return Protections(tier, rows)


def attempt(confined: bool) -> dict[str, bool]:
    """Make the attempts in a process made for it; whether each was refused, by id."""
    word = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as outside, socket.create_server(("127.0.0.1", 0)) as listener:
        scratch, secret, model = (Path(outside, name) for name in ("scratch", "secret", "model"))
        scratch.mkdir(0o700)
        secret.write_text(word)
        model.write_text("a model")
        plant = {
            "secret": str(secret),
            "outside": outside,
            "scratch": str(scratch),
            "port": listener.getsockname()[1],
            "server": os.getpid(),
            "word": word,
            "network": _network(),
            "memory_mib": MEMORY_MIB,
            "file_mib": FILE_MIB,
        }
        confinement = Confinement((str(model),), str(scratch), MEMORY_MIB, FILE_MIB)
        around = {**os.environ, "SALIENCY_PLANTED": word}
        holds = _run(
            [confinement.spelled() if confined else "", json.dumps(plant), str(os.getpid())],
            confined_environment(around, str(scratch)) if confined else around,
        )
        listener.setblocking(False)
        with contextlib.suppress(OSError):
            listener.accept()[0].close()
            holds["network"] = False  # whatever the process said
        untouched = sorted(os.listdir(outside)) == ["model", "scratch", "secret"]
        holds["write"] = holds.get("write", False) and untouched and secret.read_text() == word
        return holds


def _run(arguments: list[str], environment: Mapping[str, str]) -> dict[str, bool]:
    command = [sys.executable, "-I", "-c", BEGIN, str(ROOT), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=PATIENCE_S, check=False)
        lines = done.stdout.decode().splitlines()
        return {name: holds is True for name, holds in map(json.loads, lines)}
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return {}


def _network() -> str:
    try:
        return os.readlink("/proc/self/ns/net")
    except OSError:
        return ""
