"""Look inside a TensorFlow network: the gradient of any output with respect to every pixel.

from saliency_core import open_model, explain
result = explain("digits", "seven.png", "class_logit(7)", "gradient()")
result.values, result.score, result.units, result.evidence
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saliency_core import methods, targets
    from saliency_core.attribution import Attribution
    from saliency_core.errors import SaliencyError
    from saliency_core.explanation import explain
    from saliency_core.images import Image, read_image
    from saliency_core.models.model import Model
    from saliency_core.models.opening import model_names, open_model
    from saliency_core.render.look import Look

_HOMES = {
    "Attribution": "attribution",
    "Image": "images",
    "Look": "render.look",
    "Model": "models.model",
    "SaliencyError": "errors",
    "explain": "explanation",
    "methods": "",
    "model_names": "models.opening",
    "open_model": "models.opening",
    "read_image": "images",
    "targets": "",
}
__all__ = [
    "Attribution",
    "Image",
    "Look",
    "Model",
    "SaliencyError",
    "explain",
    "methods",
    "model_names",
    "open_model",
    "read_image",
    "targets",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _HOMES[name]:
        return importlib.import_module(f"{__name__}.{name}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
