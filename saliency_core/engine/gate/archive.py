"""The layout of an archive or a folder, checked before any of it is read, and unpacking by own code."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterable
from pathlib import Path

from saliency_core.engine.gate.refusal import Limits, Stop, shown, size

PACK_AGAIN = "Pack the folder anew with an ordinary zip program and give that archive, or give the folder."
BLOCK = 2**20
STORED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_layout(archive: zipfile.ZipFile, limits: Limits) -> None:
    """Refuse an archive whose list of members is not plainly honest."""
    members = archive.infolist()
    if len(members) > limits.members:
        reason = f"it holds {len(members):,} members, {limits.members:,} are allowed"
        raise Stop("the archive", reason, PACK_AGAIN)
    seen: set[str] = set()
    for member in members:
        _check_member(member, seen, limits)
    total = sum(member.file_size for member in members)
    if total > limits.total:
        reason = f"the content is too large: {size(total)}, {size(limits.total)} are allowed"
        raise Stop("the archive", reason, PACK_AGAIN)


def _check_member(member: zipfile.ZipInfo, seen: set[str], limits: Limits) -> None:
    part = f"the archive, member '{shown(member.filename)}'"
    check_name(member.filename.rstrip("/"), part)
    if member.orig_filename != member.filename:
        raise Stop(part, "the path has a byte that cuts it short", PACK_AGAIN)
    folded = member.filename.rstrip("/").casefold()
    if folded in seen:
        raise Stop(part, "there is a duplicate of this name", PACK_AGAIN)
    seen.add(folded)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise Stop(part, "it is a link to another file", PACK_AGAIN)
    if member.flag_bits & 0x41:
        raise Stop(part, "it is encrypted", "Pack the folder anew without a password.")
    if member.compress_type not in STORED:
        raise Stop(part, "it is packed by a method that is not read here", PACK_AGAIN)
    if member.file_size > limits.small and member.file_size > limits.ratio * max(1, member.compress_size):
        reason = f"{size(member.compress_size)} unpack to {size(member.file_size)}, a ratio that no model has"
        raise Stop(part, reason, PACK_AGAIN)


def check_name(name: str, part: str) -> None:
    """Refuse a name that could lead out of its folder."""
    steps = name.split("/")
    if not name or name.startswith("/") or "\\" in name or ":" in name or "\0" in name:
        raise Stop(part, "the path is absolute or not plain", PACK_AGAIN)
    if any(step in ("", ".", "..") or len(step.encode()) > 255 for step in steps) or len(steps) > 20:
        raise Stop(part, "the path leads elsewhere", PACK_AGAIN)


def content(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Return one member's bytes, at most so many, with its checksum checked."""
    member = archive.getinfo(name)
    if member.file_size > most:
        reason = f"it is too large: {size(member.file_size)}, {size(most)} are allowed"
        raise Stop(name, reason, PACK_AGAIN)
    with archive.open(member) as file:
        return file.read(most + 1)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def unpack(archive: zipfile.ZipFile, members: Iterable[zipfile.ZipInfo], to: Path, under: str = "") -> None:
    """Write checked members below a folder, without the part of their names that `under` says."""
    for member in members:
        target = to / member.filename.removeprefix(under)
        if member.is_dir():
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        left = member.file_size
        with archive.open(member) as source, open(target, "xb", opener=_private) as file:
            while block := source.read(BLOCK):
                left -= len(block)
                if left < 0:
                    raise Stop(f"member '{shown(member.filename)}'", "it is longer than it says", PACK_AGAIN)
                file.write(block)


def check_folder(folder: Path, limits: Limits) -> None:
    """Refuse a folder that holds links, devices, too many or too large files."""
    total = 0
    for number, path in enumerate(folder.rglob("*"), 1):
        part = f"'{shown(path.relative_to(folder).as_posix())}'"
        if number > limits.members:
            raise Stop("the folder", f"it holds more than {limits.members:,} files", "Give the model alone.")
        if path.is_symlink():
            raise Stop(part, "it is a link to another file", "Put the file itself in its place.")
        if not path.is_dir() and not path.is_file():
            raise Stop(part, "it is not an ordinary file", "Give the model alone.")
        total += path.stat().st_size
    if total > limits.total:
        reason = f"the content is too large: {size(total)}, {size(limits.total)} are allowed"
        raise Stop("the folder", reason, "Give a smaller model.")
