"""Digits as a pen draws them: a few strokes each, so that forms rare in the data are read too.

The handwriting that `digits` learns from crosses nearly every 7 and hooks nearly every 1.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.interpolate import CubicSpline

FIELD = 48
_REACH = 6.0

FORMS: dict[int, tuple[str, ...]] = {
    0: ("~ 50,2 20,30 20,70 50,98 80,70 80,30 50,2",),
    1: (
        "50,0 50,100",
        "34,18 52,0 52,100",
        "34,18 52,0 52,100 / 30,100 74,100",
    ),
    2: ("~ 20,22 50,0 78,24 50,65 18,98 / 18,98 82,98",),
    3: (
        "~ 20,10 50,0 75,22 42,46 / ~ 42,46 80,70 50,100 18,88",
        "20,2 78,2 45,40 / ~ 45,40 80,68 50,100 18,88",
    ),
    4: (
        "60,0 15,65 85,65 / 62,30 62,100",
        "25,0 20,50 80,50 / 72,5 70,100",
    ),
    5: ("78,0 28,0 24,44 / ~ 24,44 60,38 80,68 55,98 20,90",),
    6: ("~ 70,0 30,35 22,75 50,100 78,75 50,52 25,70",),
    7: (
        "18,2 82,2 42,100",
        "18,16 18,2 82,2 45,100",
        "18,2 82,2 42,100 / 35,50 80,50",
    ),
    8: ("~ 70,12 45,0 28,22 50,47 76,75 50,100 24,76 52,45 70,12",),
    9: (
        "~ 74,25 48,48 25,25 50,0 74,25 / 74,25 66,100",
        "~ 74,25 48,48 25,25 50,0 75,25 70,70 40,100",
    ),
}
"""The forms of each digit; strokes x,y x,y ... in percent, parted by "/"; after "~" the pen swings round."""


def stroke_field(rng: np.random.Generator, digit: int) -> np.ndarray:
    """One digit drawn with a shaky hand, (48, 48): 1 along the strokes, falling to 0 beside them."""
    forms = FORMS[digit]
    sheet = Image.new("1", (FIELD, FIELD), 1)
    draw = ImageDraw.Draw(sheet)
    for stroke in forms[int(rng.integers(len(forms)))].split("/"):
        points = np.array([pair.split(",") for pair in stroke.strip(" ~").split()], np.float64) / 100
        shaky = points + rng.normal(0, 0.03, points.shape)
        if "~" in stroke:
            shaky = CubicSpline(np.arange(len(shaky)), shaky)(np.linspace(0, len(shaky) - 1, 40))
        draw.line((shaky * (FIELD - 5) + 2).ravel().tolist(), fill=0)
    distance = ndimage.distance_transform_edt(np.asarray(sheet))
    return np.clip(1 - distance / _REACH, 0, 1).astype(np.float32)
