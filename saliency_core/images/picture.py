"""The picture itself: upright 8-bit pixels with name, digest and what was done to them on the way in."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from saliency_core.arrays import Bytes8

LONGEST_NAME = 80
UNSHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # controls, bidi and zero-width, surrogates, unassigned


@dataclass(frozen=True)
class Image:
    """One picture as numbers: upright, 8 bits a value, never changed after reading.

    pixels: uint8, (H, W, 1) grey or (H, W, 3) RGB, values 0..255, read-only; (H, W, n) only from arrays.
    name: text for display, never a path. digest: SHA-256 (hex) of the file's bytes, or of shape, dtype and
    pixels for arrays and PIL images. format: "PNG", "JPEG", ... or "array". notices: what the viewer
    should know, one phrase each ("first of 12 frames"). Two images are equal when all but the pixels are.
    """

    pixels: Bytes8 = field(repr=False, compare=False)
    name: str
    digest: str
    format: str
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.dtype != np.uint8 or self.pixels.size == 0:
            raise ValueError(f"pixels must be uint8 (H, W, C), not {self.pixels.dtype} {self.pixels.shape}")
        own = np.ascontiguousarray(self.pixels).view()
        own.flags.writeable = False
        object.__setattr__(self, "pixels", own)

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])

    @cached_property
    def mean(self) -> float:
        """Mean of all pixel values, 0..255."""
        return int(self.pixels.sum(dtype=np.uint64)) / self.pixels.size

    @property
    def facts(self) -> str:
        """Size and mean as one line: `640x480 px, mean 123.46`."""
        return f"{self.width}x{self.height} px, mean {self.mean:.2f}"


def clean_name(name: str | os.PathLike[str], otherwise: str = "image") -> str:
    """Return the last part of a path as text fit for a label: one line, no invisible or bidi characters.

    Markup in it stays as it is: whoever shows the name has to show it as text.
    """
    last = re.split(r"[/\\]", os.fspath(name).rstrip("/\\ "))[-1]
    shown = "".join(" " if c.isspace() else c for c in last if c.isspace() or _is_shown(c))
    shown = " ".join(shown.split())
    if len(shown) > LONGEST_NAME:
        shown = shown[: LONGEST_NAME - 1].rstrip() + "…"
    return otherwise if shown in ("", ".", "..") else shown


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in UNSHOWN
