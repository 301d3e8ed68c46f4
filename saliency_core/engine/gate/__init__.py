"""The gate: looks through a stranger's model file and refuses what is not plainly a network; runs nothing."""

from saliency_core.engine.gate.door import admit
from saliency_core.engine.gate.refusal import Admitted, Limits, Refused

__all__ = ["Admitted", "Limits", "Refused", "admit"]
