"""Numbers as text, the same in figures, pages and, by the components, in the browser."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

MINUS = "\N{MINUS SIGN}"
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: float, *, signed: bool = False) -> str:
    """Write a number with three significant digits, a true minus and powers of ten.

    `signed` puts a plus before positive numbers. The browser's `numberText` gives the same text
    for every float: both round the exact binary value, halves away from zero.
    """
    value = float(value)
    if not math.isfinite(value):
        return "not a number"
    if value == 0:
        return "0"
    size = Decimal(abs(value))
    sign = MINUS if value < 0 else "+" if signed else ""
    if size >= 10_000 or size < Decimal("0.001"):
        return sign + _scientific(size)
    if size >= 100:
        return sign + str(size.quantize(Decimal(1), ROUND_HALF_UP))
    return sign + _trimmed(_rounded(size))


def _rounded(size: Decimal) -> Decimal:
    return size.quantize(Decimal((0, (1,), size.adjusted() - 2)), ROUND_HALF_UP)


def _trimmed(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scientific(size: Decimal) -> str:
    rounded = _rounded(size)
    power = rounded.adjusted()
    return f"{_trimmed(rounded.scaleb(-power))}·10{str(power).translate(SUPERSCRIPT)}"
