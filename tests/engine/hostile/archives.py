"""`.keras` archives whose layout is wrong."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path

from tests.engine.hostile.case import Case
from tests.engine.hostile.keras_files import dense, flat, layer, pack, weights


def cases(folder: Path, marker: Path) -> list[Case]:
    """Write the archives."""
    config = json.dumps(flat(dense())).encode()
    hostile = json.dumps(flat(layer("Lambda", "held"), dense())).encode()
    good = [("metadata.json", b"{}"), ("config.json", config), ("model.weights.h5", weights())]
    layouts: dict[str, tuple[list[tuple[str, bytes]], str]] = {
        "two_configs": ([*good, ("config.json", hostile)], "duplicate"),
        "two_configs_but_for_case": ([*good, ("Config.json", hostile)], "duplicate"),
        "upward": ([*good, ("../../out.txt", b"x")], "path"),
        "absolute": ([*good, (str(marker), b"x")], "path"),
        "backslash": ([*good, ("a\\..\\..\\out.txt", b"x")], "path"),
        "asset": ([*good, ("assets/words/vocabulary.txt", b"x")], "no such member"),
        "pickle_inside": ([*good, ("model.pkl", b"\x80\x04.")], "no such member"),
        "array_weights": ([*good[:2], ("model.weights.npz", b"PK")], "no such member"),
        "no_weights": (good[:2], "missing"),
        "no_metadata": (good[1:], "missing"),
        "weights_of_another_kind": ([*good[:2], ("model.weights.h5", b"\x80\x04 pickle")], "damaged"),
        "empty_weights": ([*good[:2], ("model.weights.h5", b"")], "damaged"),
        "too_many_members": ([*good, *((f"a{k}", b"") for k in range(2_001))], "members"),
        "long_name": ([*good, ("a" * 300, b"x")], "path"),
        "honest": (good, ""),
    }
    found = []
    for name, (members, word) in layouts.items():
        path = folder / f"{name}.keras"
        with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for member, content in members:
                archive.writestr(member, content)
        found.append(Case(f"archive_{name}", path, "refuse" if word else "open", word))
    return [*found, *_patched(folder), *_bombs(folder)]


def _patched(folder: Path) -> list[Case]:
    """Honest archives with a few bytes changed."""
    plain = folder / "plain.keras"
    pack(plain, flat(dense()))
    good = plain.read_bytes()
    first, listed = good.index(b"PK\x03\x04"), good.index(b"PK\x01\x02")
    encrypted, method, name = bytearray(good), bytearray(good), bytearray(good)
    encrypted[first + 6] |= 1
    encrypted[listed + 8] |= 1
    method[first + 8] = method[listed + 10] = 12
    name[listed + 46 : listed + 54] = b"metadat\0"
    content = bytearray(good)
    content[good.index(b"Sequential")] ^= 1
    made = {
        "encrypted": (bytes(encrypted), "encrypted"),
        "other_method": (bytes(method), "method"),
        "name_cut_short": (bytes(name), "path"),
        "wrong_checksum": (bytes(content), "damaged"),
        "cut": (good[: len(good) * 2 // 3], "damaged"),
        "no_list": (good[:listed], "damaged"),
        "names_differ": (good[: listed + 46] + b"mutadata.json" + good[listed + 59 :], "no such member"),
    }
    found = [Case("archive_plain", plain, "open")]
    for key, (data, word) in made.items():
        path = folder / f"patched_{key}.keras"
        path.write_bytes(data)
        found.append(Case(f"archive_{key}", path, "refuse", word))
    return found


def _bombs(folder: Path) -> list[Case]:
    """Weights that are nothing but zeros, packed small, and a link."""
    path, linked = folder / "bomb.keras", folder / "link.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(flat(dense())))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", weights() + b"\0" * 30_000_000)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("config.json", json.dumps(flat(dense())))
        archive.writestr("metadata.json", "{}")
        info = zipfile.ZipInfo("model.weights.h5")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    linked.write_bytes(content.getvalue())
    return [Case("archive_bomb", path, "refuse", "ratio"), Case("archive_link", linked, "refuse", "link")]
