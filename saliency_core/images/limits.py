"""How large a picture may be, checked before anything is decoded."""

from __future__ import annotations

from saliency_core.errors import ImageError

LIMIT_PIXELS = 40_000_000
LIMIT_BYTES = 64 * 2**20


def check_size(name: str, width: int, height: int) -> None:
    """Raise ImageError when a picture of this width and height has no pixels or too many."""
    if width < 1 or height < 1:
        raise ImageError(f"{name} is {width}x{height} px: it has no pixels.", "Use another picture.")
    if width * height > LIMIT_PIXELS:
        raise ImageError(
            f"{name} has too many pixels: {width}x{height} px, at most {LIMIT_PIXELS / 1e6:g} million.",
            "Make it smaller and try again; a model looks at far fewer pixels anyway.",
        )


def check_bytes(name: str, count: int) -> None:
    """Raise ImageError when a file is empty or larger than LIMIT_BYTES."""
    if count == 0:
        raise ImageError(f"{name} is empty (0 bytes).", "Choose a picture file with something in it.")
    if count > LIMIT_BYTES:
        raise ImageError(
            f"{name} has too many bytes: more than {LIMIT_BYTES // 2**20} MiB.",
            "Save it smaller or more strongly compressed.",
        )
