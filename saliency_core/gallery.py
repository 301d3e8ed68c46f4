"""The sample images that come with the lab: where each is from, and which model it suits."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from saliency_core.errors import ImageError
from saliency_core.scenes import Scene, render_scene

ASSETS = Path(__file__).resolve().parent.parent / "assets"
NOWHERE = 99
IMAGENET = "imagenet"
"""The name in `suits` that stands for every network trained on ImageNet."""


@dataclass(frozen=True)
class Sample:
    """One image of the gallery.

    `suits` names the models it is meant for, best first; `label` is what it shows in their words, or
    None. `seed` and `mark` tell how a rendered scene was made, so that its mask can be had.
    """

    id: str
    file: str
    title: str
    source: str
    licence: str
    credit: str
    suits: tuple[str, ...]
    label: str | None
    note: str
    seed: int | None = None
    mark: str | None = None

    def read(self) -> bytes:
        """The file's bytes."""
        return (ASSETS / self.file).read_bytes()

    def scene(self) -> Scene | None:
        """The scene with its mask where this is a rendered one, else None."""
        return None if self.seed is None else render_scene(self.seed, mark=self.mark or "none")


@cache
def gallery() -> tuple[Sample, ...]:
    """Every sample, in the order of the menu."""
    rows = json.loads((ASSETS / "gallery.json").read_text(encoding="utf-8"))
    return tuple(Sample(**{**row, "suits": tuple(row["suits"])}) for row in rows)


def sample(id: str) -> Sample:
    """The sample of an id; raises ImageError that names the nearest."""
    for one in gallery():
        if one.id == id:
            return one
    near = difflib.get_close_matches(id[:60], [one.id for one in gallery()], 3, 0.3)
    first = gallery()[0].id
    raise ImageError(
        f"There is no image {id[:60]!r} in the gallery of {len(gallery())}.",
        f"Nearest: {', '.join(near)}." if near else f"Their names are like {first}.",
    )


def for_model(name: str) -> tuple[Sample, ...]:
    """Every sample, those best suited to a model first; other models get what suits ImageNet networks."""
    named = any(name in one.suits for one in gallery())
    wanted = name if named else IMAGENET

    def place(one: Sample) -> int:
        return one.suits.index(wanted) if wanted in one.suits else NOWHERE

    return tuple(sorted(gallery(), key=place))
