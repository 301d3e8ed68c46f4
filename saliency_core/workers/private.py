"""Uploaded models on the server's side: where they lie, and what the one process of each may take."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from saliency_core.workers.sandbox import MIB, Confinement

PREFIX = "saliency-lab-"
ENTRIES = 20_000  # files and folders that a scratch folder may hold
MOST, REST_MIB = 4, 4096  # private workers at once; memory that is left to everything else
YOUNG_S = 60.0  # a folder this new may not be locked yet by the server that made it


@dataclass(frozen=True)
class Upload:
    """A model that somebody brought. The id is that person's own: equal files of two people have two ids."""

    id: str
    path: str  # a file, or a folder


@dataclass(frozen=True)
class PrivateLimits:
    """What the workers of uploaded models may take: how many at once, and each of them.

    count: 0 for as many as fit into the machine's memory together, one to four.
    """

    count: int = 0
    idle_s: float = 300.0
    wall_s: float = 120.0
    start_s: float = 60.0
    memory_mib: int = 6144  # the doctor on a ResNet50, a file of 98 MB, needs 5500
    scratch_mib: int = 2048

    def __post_init__(self) -> None:
        fit = max(1, min(MOST, (machine_mib() - REST_MIB) // self.memory_mib))
        object.__setattr__(self, "count", self.count or fit)


def machine_mib() -> int:
    """Return the memory of this machine, or of the container that it is."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
    with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
        whole = min(whole, int(Path("/sys/fs/cgroup/memory.max").read_text()) // MIB)
    return whole


def confine(path: str | None, limits: PrivateLimits, within: Path) -> Confinement:
    """Return a confinement for one model, with a new scratch folder; OSError if there is no such model.

    For a model that is yet to come (None) all that may be read of models is a new, empty folder.
    """
    readable: tuple[str, ...] = ()
    if path is not None:
        os.stat(path)  # it must be there
        readable = (os.path.realpath(path),)
    scratch = os.path.realpath(tempfile.mkdtemp(prefix="scratch-", dir=within))
    place = "" if path is not None else os.path.realpath(tempfile.mkdtemp(prefix="place-", dir=within))
    file_mib = min(1024, limits.scratch_mib)
    return Confinement(readable, scratch, limits.memory_mib, file_mib, place=place)


def hand_over(path: str, place: str) -> str:
    """Let a stored file be seen in another folder and return its path there; OSError where that cannot be."""
    seen = os.path.join(place, os.path.basename(path))
    os.link(os.path.realpath(path), seen)  # the same file: nothing is copied, and a folder is refused
    return seen


class Store:
    """A folder of this server alone for uploads and scratch, made when first needed, gone when it closes.

    What an earlier server left behind because it was killed is removed when this one makes its folder.
    """

    def __init__(self, parent: Path | None = None) -> None:
        self._parent = parent or Path(tempfile.gettempdir())
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._alive: IO[bytes] | None = None

    @property
    def folder(self) -> Path:
        """The folder, readable by this user only."""
        with self._lock:
            if self._folder is None:
                self._sweep()
                self._folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._parent))
                self._alive = open(self._folder / "alive", "wb")  # noqa: SIM115 - held until the end
                _try_lock(self._alive)
            return self._folder

    def keep(self, content: bytes | Iterable[bytes], suffix: str) -> Upload:
        """Store a model file; only the ending of its name is kept."""
        name = secrets.token_hex(16)
        home = self.folder / name
        home.mkdir(0o700)
        ending = "".join(letter for letter in suffix.lower() if letter.isalnum())[:10]
        path = home / f"model.{ending}"
        with open(path, "wb") as file:
            file.writelines([content] if isinstance(content, bytes) else content)
        return Upload(name, str(path))

    def remove(self, upload_id: str) -> None:
        """Remove a stored model; one that lies elsewhere is left alone."""
        with self._lock:
            home = self._folder / upload_id if self._folder and upload_id.isalnum() else None
        if home is not None and home.is_dir():
            remove_folder(home)

    def close(self) -> None:
        """Remove everything."""
        with self._lock:
            folder, self._folder = self._folder, None
            if self._alive is not None:
                self._alive.close()
        if folder is not None:
            remove_folder(folder)

    def _sweep(self) -> None:
        for other in self._parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                found = other.lstat()
                mine = stat.S_ISDIR(found.st_mode) and os.name == "posix" and found.st_uid == os.geteuid()
                if not mine or time.time() - found.st_mtime < YOUNG_S:
                    continue
                with open(other / "alive", "r+b") as alive:
                    if _try_lock(alive):
                        remove_folder(other)


def _try_lock(file: IO[bytes]) -> bool:
    """Lock a file as long as it is open, unless somebody else has."""
    if os.name != "posix":
        return False
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_folder(folder: str | Path) -> None:
    """Remove a folder that a stranger's code has filled: closed to its owner, or nested without end.

    Two threads may remove the same one.
    """
    top = Path(folder)
    with contextlib.suppress(OSError):
        while entries := _entries(top):
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    _remove(entry, top)
        os.rmdir(top)
    if top.exists():
        with contextlib.suppress(RecursionError):
            shutil.rmtree(top, ignore_errors=True)


def _remove(entry: os.DirEntry[str], top: Path) -> None:
    """Remove a file, or a folder after its inner folders were moved up: no path grows too long to name."""
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry.path)
        return
    for inner in _entries(Path(entry.path)):
        if inner.is_dir(follow_symlinks=False):
            os.rename(inner.path, top / secrets.token_hex(16))
        else:
            os.unlink(inner.path)
    os.rmdir(entry.path)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    os.chmod(folder, 0o700)
    with os.scandir(folder) as found:
        return list(found)


def folder_mib(folder: str) -> float:
    """How much a folder holds; infinite when it holds too many files to count."""
    total, count, waiting = 0, 0, [folder]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                count += 1
                if count > ENTRIES:
                    return float("inf")
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total / MIB
