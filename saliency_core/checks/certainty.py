"""How sure a map is, in figures made of its own numbers."""

from __future__ import annotations

import numpy as np

from saliency_core.attribution import Attribution
from saliency_core.render.reduce import CERTAIN

Figures = dict[str, float]


def certainty(made: Attribution) -> Figures:
    """Return how sure a map is, as shares of one.

    error: root mean square of the standard error over that of the values. distinct: share of the values that
    are larger than two standard errors; not of squares, which always are. gap_relative: by how much the map
    misses the difference of the score that it should add up to.
    """
    found: Figures = {}
    if made.error is not None:
        size = float(np.sqrt(np.mean(np.square(made.values, dtype=np.float64))))
        error = float(np.sqrt(np.mean(np.square(made.error, dtype=np.float64))))
        if size:
            found["error"] = error / size
        if made.kind != "squared":
            found["distinct"] = float(np.mean(np.abs(made.values) > CERTAIN * made.error))
    if "gap_relative" in made.facts:
        found["gap_relative"] = abs(float(made.facts["gap_relative"]))
    return found
