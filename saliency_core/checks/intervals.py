"""How far a measured share or mean may be from the truth: 95 % intervals."""

from __future__ import annotations

import numpy as np

from saliency_core.arrays import Array
from saliency_core.errors import SettingError

NORMAL = 1.959963984540054  # of a standard normal variable, 95 % lies within plus and minus this
RESAMPLES = 2_000


def wilson(hits: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a proportion; `hits` of `count`, parts of a hit allowed."""
    if count < 1 or not 0 <= hits <= count:
        raise SettingError(f"A proportion needs 0 <= hits <= count and a count, not {hits} of {count}.")
    share, wide = hits / count, NORMAL**2 / count
    middle = (share + wide / 2) / (1 + wide)
    half = NORMAL * float(np.sqrt(share * (1 - share) / count + wide / (4 * count))) / (1 + wide)
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(values: Array, seed: int = 0, resamples: int = RESAMPLES) -> tuple[float, float]:
    """Return the 95 % interval of a mean from resampled means; the same seed gives the same interval."""
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or not numbers.size:
        raise SettingError(f"A mean needs a row of numbers, these are {numbers.shape}.")
    draws = np.random.default_rng(seed).integers(numbers.size, size=(resamples, numbers.size))
    low, high = np.percentile(numbers[draws].mean(1), (2.5, 97.5))
    return float(low), float(high)
