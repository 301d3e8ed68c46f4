"""What Pillow raises on bad bytes -> one ImageError in plain words."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import PIL.Image

from saliency_core.errors import ImageError

# What Pillow's readers are known to raise on hostile bytes. Only calls into Pillow stand under this guard,
# so a mistake in our own code still surfaces.
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
OVERSIZED = ("text chunk", "text memory", "decompressed data too large")


@contextmanager
def broken_is_said(name: str, title: str) -> Iterator[None]:
    """Turn whatever Pillow raises into an ImageError that quotes nothing of Pillow's wording."""
    try:
        yield
    except MemoryError as error:
        raise ImageError(f"{name} needs more memory than there is.", "Make it smaller.") from error
    except PIL.Image.DecompressionBombError as error:  # Pillow checks WebP itself, before we can
        raise ImageError(f"{name} has too many pixels.", "Make it smaller and try again.") from error
    except BROKEN as error:
        words = str(error).lower()
        if any(phrase in words for phrase in OVERSIZED):
            problem = f"{name} carries an extremely large text or colour profile block."
            raise ImageError(problem, "Save it anew without metadata.") from error
        problem = f"{name} begins like {title} but is cut off, damaged or of a rare variant."
        raise ImageError(problem, "Fetch the file again, or open and save it anew as PNG.") from error
