"""Pictures in: bytes, path, PIL image or array -> an upright 8-bit `Image`; pictures out: PNG bytes."""

from saliency_core.images.fit import HOWS, fit, thumbnail, to_png
from saliency_core.images.limits import LIMIT_BYTES, LIMIT_PIXELS
from saliency_core.images.picture import Image, clean_name
from saliency_core.images.read import Source, read_image

__all__ = [
    "HOWS",
    "LIMIT_BYTES",
    "LIMIT_PIXELS",
    "Image",
    "Source",
    "clean_name",
    "fit",
    "read_image",
    "thumbnail",
    "to_png",
]
