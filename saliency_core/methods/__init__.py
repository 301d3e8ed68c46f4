"""One file a method. `methods.Gradient()` and its siblings are found by class name, loaded on first use."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from saliency_core.registry import table

    if name[:1].isupper():
        for cls in table("method").values():
            if cls.__name__ == name:
                return cls
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
