"""Fetches the files of the catalogue into Keras's own cache, and lets none in that is not whole."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from io import FileIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from saliency_core.errors import Cancelled, DownloadError
from saliency_core.models.catalogue import Weights

OnProgress = Callable[[int, int | None, float], None]  # bytes done, bytes in all if known, bytes a second

MIRROR = "SALIENCY_WEIGHTS_URL"  # a folder on another server that holds the same files
BLOCK = 1 << 18
MEGABYTE = 1 << 20
SPARE_DISK = 16 * MEGABYTE
STALE_S = 600.0
REPORTS_A_SECOND = 10.0
HEAD = 64  # bytes in which an HDF5 file says how long it is
SIGNATURE = b"\x89HDF\r\n\x1a\n"
OTHERS_WORK = "the other models work without a network."

log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return the folder in which Keras keeps its weights: `models` in KERAS_HOME or ~/.keras."""
    return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / "models"


def present(item: Weights, *, folder: Path | None = None) -> bool:
    """Tell whether a file of that name is in the cache, without looking inside."""
    return ((folder or cache_folder()) / item.file).is_file()


def fetch(
    item: Weights,
    *,
    folder: Path | None = None,
    base_url: str | None = None,
    on_progress: OnProgress | None = None,
    timeout_s: float = 15.0,
    cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Return the path of a checked file, downloaded first if the cache does not hold it whole.

    `base_url`, or the environment variable SALIENCY_WEIGHTS_URL, names a mirror: a folder on
    another server with the same file names. `timeout_s` limits connecting and every wait for
    more data. A damaged file in the cache is renamed to `<name>.damaged` and fetched again.
    Raises DownloadError with what to do, or Cancelled; either leaves nothing behind.
    """
    folder = folder or cache_folder()
    path = folder / item.file
    if path.exists():
        fault = _fault(path, item)
        if not fault:
            return path
        log.warning("%s %s; it is kept as %s and fetched again", path, fault, set_aside(path))
    transfer = _Transfer(item, _address(item, base_url), timeout_s, on_progress, cancelled)
    with _disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder, item)
    part = folder / f".{item.file}.{uuid.uuid4().hex}.part"
    try:
        transfer.into(part)
        fault = _fault(part, item)
        if fault:
            raise transfer.not_usable(fault)
        with _disk(folder):
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def set_aside(path: Path) -> Path:
    """Rename a damaged file so that nothing uses it, and return its new path."""
    kept = path.with_name(path.name + ".damaged")
    with _disk(path.parent), suppress(FileNotFoundError):  # another process may have been quicker
        os.replace(path, kept)
    return kept


@dataclass(frozen=True)
class _Transfer:
    """One file on its way from one address."""

    item: Weights
    address: str
    timeout_s: float
    on_progress: OnProgress | None
    cancelled: Callable[[], bool] | None

    def into(self, part: Path) -> None:
        """Stream the answer into a new file, which is on the disk when this returns."""
        self._check_cancelled()
        ask = Request(self.address, headers={"User-Agent": "saliency-lab"})
        with self._network():
            answer = urlopen(ask, timeout=self.timeout_s)
        total = answer.length
        with answer:
            _room_for(self.item, part.parent, total)
            with _disk(part.parent):
                out = open(part, "xb", buffering=0)  # noqa: SIM115
            with out:
                done = self._copy(answer, out, total)
                with _disk(part.parent):
                    os.fsync(out.fileno())
        if total is not None and done != total:
            raise self.not_usable(f"broke off after {done:,} of {total:,} bytes")

    def _copy(self, answer: Any, out: FileIO, total: int | None) -> int:
        """Copy block by block, telling progress, and return the number of bytes."""
        done, began, told = 0, time.monotonic(), 0.0
        longest = (2 * self.item.megabytes + 1) * MEGABYTE
        while True:
            self._check_cancelled()
            with self._network():  # the first few bytes alone, then whatever has arrived
                block = answer.read1(BLOCK) if done else answer.read(len(SIGNATURE))
            if not done and not _looks_right(block, self.item):
                raise self.not_usable(_what_it_is(block))
            if not block:
                return done
            with _disk(Path(out.name).parent):
                _write(out, block)
            done += len(block)
            if done > longest:
                raise self.not_usable(f"is longer than {longest / MEGABYTE:.0f} MB")
            now = time.monotonic()
            if self.on_progress is not None and (done == total or now - told > 1 / REPORTS_A_SECOND):
                told = now
                self.on_progress(done, total, done / max(now - began, 1e-3))

    def _check_cancelled(self) -> None:
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("The download was stopped.")

    def not_usable(self, fault: str) -> DownloadError:
        """The error for an answer that is not the file."""
        return DownloadError(
            f"What {_host(self.address)} sent as {self.item.file} {fault}; it was thrown away.",
            f"Try again, or from another network; {OTHERS_WORK}",
        )

    @contextmanager
    def _network(self) -> Iterator[None]:
        """Turn whatever a network does wrong into one sentence."""
        host = _host(self.address)
        try:
            yield
        except HTTPError as problem:
            problem.close()
            raise DownloadError(
                f"{host} does not give out {self.item.file}: {problem.code} {problem.reason}.",
                f"Try again later, or set {MIRROR} to a mirror; {OTHERS_WORK}",
            ) from problem
        except (OSError, HTTPException) as problem:
            cause = problem.reason if isinstance(problem, URLError) else problem
            raise DownloadError(
                f"{self.item.file} could not be downloaded: {_why(cause, host, self.timeout_s)}.",
                f"Check the network and try again; {OTHERS_WORK}",
            ) from problem


def _write(out: FileIO, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[out.write(rest) :]


def _address(item: Weights, base_url: str | None) -> str:
    base = base_url or os.environ.get(MIRROR)
    address = f"{base.rstrip('/')}/{item.file}" if base else item.url
    if not _is_web(address):
        raise DownloadError(
            f"Weights are fetched over http or https, not from {address[:120]!r}.",
            f"Set {MIRROR} to an address that begins with https://, or remove it.",
        )
    return address


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def _fault(path: Path, item: Weights) -> str:
    """Say what is wrong with a file, or return "" when it passes every check there is."""
    with _disk(path.parent):
        if not path.is_file():
            return "is not a file"
        with open(path, "rb") as file:
            head = file.read(HEAD)
            size = os.fstat(file.fileno()).st_size
            if not _looks_right(head, item):
                return _what_it_is(head)
            if item.digest:
                file.seek(0)
                found = hashlib.file_digest(file, lambda: hashlib.new(item.algorithm, usedforsecurity=False))
                return "" if found.hexdigest() == item.digest else "has the wrong checksum"
    promised = _hdf5_length(head) if len(head) == HEAD else HEAD
    return f"is cut off: {size:,} of {promised:,} bytes" if size < promised else ""


def _hdf5_length(head: bytes) -> int:
    """Return how long an HDF5 file says it is, in bytes; 0 when it does not say.

    The superblock holds the address of the end of the file, counted from a base address.
    """
    version, size = head[8], head[13] if head[8] < 2 else head[9]
    base = {0: 24, 1: 28, 2: 12, 3: 12}.get(version)
    if base is None or size not in (2, 4, 8):
        return 0
    return sum(int.from_bytes(head[at : at + size], "little") for at in (base, base + 2 * size))


def _looks_right(head: bytes, item: Weights) -> bool:
    return head.lstrip()[:1] == b"{" if item.form == "json" else head.startswith(SIGNATURE)


def _what_it_is(head: bytes) -> str:
    if not head:
        return "is empty"
    if head.lstrip()[:1] == b"<":
        return "is a web page instead, perhaps from a proxy or a sign-in form"
    return "is not a file of the expected kind"


def _room_for(item: Weights, folder: Path, total: int | None) -> None:
    needed = int(item.megabytes * MEGABYTE) if total is None else total
    with _disk(folder):
        free = shutil.disk_usage(folder).free
    if free < needed + SPARE_DISK:
        raise DownloadError(
            f"{item.file} needs {needed / MEGABYTE:.0f} MB; "
            f"the disk of {folder} has {free / MEGABYTE:.0f} MB left.",
            "Make room, or set KERAS_HOME to a folder on another disk.",
        )


def _sweep(folder: Path, item: Weights) -> None:
    """Remove what a killed process left of the same file; a live download writes all the time."""
    for part in folder.glob(f".{item.file}.*.part"):
        with suppress(FileNotFoundError):  # its owner may just finish with it
            if time.time() - part.stat().st_mtime > STALE_S:
                part.unlink()


def _host(address: str) -> str:
    return urlsplit(address).netloc.rpartition("@")[2]  # without a name and password


def _why(cause: BaseException | str, host: str, timeout_s: float) -> str:
    match cause:
        case TimeoutError():
            return f"{host} did not answer within {timeout_s:g} seconds"
        case socket.gaierror():
            return f"the host {host} cannot be found"
        case ConnectionRefusedError():
            return f"{host} refuses the connection"
        case ssl.SSLError():
            return f"the connection to {host} is not secure ({cause.reason})"
    return f"the connection to {host} broke off ({str(cause)[:120] or type(cause).__name__})"


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Turn a full or locked disk into one sentence."""
    try:
        yield
    except OSError as problem:
        full = problem.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "is on a full disk" if full else f"cannot be used ({problem.strerror})"
        raise DownloadError(
            f"The folder for weights, {folder}, {what}.",
            "Make room, or set KERAS_HOME to a folder that can be written.",
        ) from problem
