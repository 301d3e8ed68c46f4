"""A thousand small honest files with bytes flipped, cut, doubled or zeroed: refused or admitted, never an accident."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from saliency_core.engine.gate import Admitted, Refused, admit
from tests.engine.hostile import corpus

pytestmark = pytest.mark.engine
ROUNDS = 1_000
SECONDS = 5.0


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("corpus")
    cases = corpus(folder / "corpus", folder / "marker")
    return [case.path for case in cases if case.expect == "open" and case.path.is_file()]


def mutated(content: bytes, draw: np.random.Generator) -> bytes:
    """One to twenty changes of one kind."""
    data = bytearray(content)
    kind = draw.integers(5)
    if kind == 0:
        return bytes(data[: draw.integers(1, len(data))])
    for _ in range(int(draw.integers(1, 21))):
        place = int(draw.integers(len(data)))
        run = int(draw.integers(1, 24))
        if kind == 1:
            data[place] ^= 1 << int(draw.integers(8))
        elif kind == 2:
            data[place] = int(draw.integers(256))
        elif kind == 3:
            data[place : place + run] = bytes(len(data[place : place + run]))
        else:
            data[place:place] = data[place : place + run]
    return bytes(data)


def remade(path: Path, draw: np.random.Generator) -> bytes:
    """A changed file; of archives mostly one member is changed and packed anew, so that checksums agree."""
    if not zipfile.is_zipfile(path) or draw.random() < 0.25:
        return mutated(path.read_bytes(), draw)
    made = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(made, "w") as packed:
        chosen = int(draw.integers(len(archive.infolist())))
        for number, member in enumerate(archive.infolist()):
            content = archive.read(member)
            changed = number == chosen and content
            packed.writestr(member.filename, mutated(content, draw) if changed else content)
    return made.getvalue()


def outcome(path: Path, scratch: Path) -> bool:
    """Whether the file was refused; any other exception than a refusal rises."""
    try:
        assert isinstance(admit(path, scratch), Admitted)
    except Refused as refusal:
        return bool(refusal.reason and refusal.hint)
    return False


def test_mutations_are_refused_or_admitted(honest: list[Path], tmp_path: Path) -> None:
    draw = np.random.default_rng(20)
    kinds = {path.suffix for path in honest}
    assert kinds >= {".keras", ".h5", ".pb", ".zip"}
    slowest, refused = 0.0, 0
    for number in range(ROUNDS):
        source = honest[number % len(honest)]
        path = tmp_path / f"{number}{source.suffix}"
        path.write_bytes(remade(source, draw))
        scratch = tmp_path / f"scratch{number}"
        scratch.mkdir()
        start = time.monotonic()
        refused += outcome(path, scratch)
        slowest = max(slowest, time.monotonic() - start)
        path.unlink()
    assert slowest < SECONDS
    assert refused > ROUNDS // 3  # so the changes reach what is checked
