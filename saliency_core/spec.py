"""What a setting may be: range, step, unit and help, declared once on the field it belongs to."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

from saliency_core.errors import SettingError

REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "REQUIRED"})()


@dataclass(frozen=True)
class Spec:
    """One setting: its default, its help text and its unit."""

    default: Any = REQUIRED
    help: str = ""
    unit: str = ""
    title: str = ""
    wants: ClassVar[str] = "a value"

    @property
    def allowed(self) -> str:
        """What is allowed, in words."""
        return self.wants

    def check(self, value: Any) -> Any:
        """Return the value in its exact type, or raise ValueError when it is not allowed."""
        return value


@dataclass(frozen=True)
class Integer(Spec):
    """A whole number between `low` and `high`; either end may be open."""

    low: int | None = None
    high: int | None = None
    step: int = 1

    @property
    def allowed(self) -> str:
        return "a whole number" + _between(self.low, self.high)

    def check(self, value: Any) -> int:
        if isinstance(value, bool) or not _is_whole(value):
            raise ValueError
        return int(_inside(int(value), self.low, self.high))


@dataclass(frozen=True)
class Real(Spec):
    """A finite number between `low` and `high`; either end may be open."""

    low: float | None = None
    high: float | None = None
    step: float = 0.01

    @property
    def allowed(self) -> str:
        return "a number" + _between(self.low, self.high)

    def check(self, value: Any) -> float:
        if isinstance(value, bool | str | bytes) or not math.isfinite(float(value)):
            raise ValueError
        return float(_inside(float(value), self.low, self.high))


@dataclass(frozen=True)
class Choice(Spec):
    """One of a few named options, given as `options` or as `{option: title}`."""

    options: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(self.options)

    def check(self, value: Any) -> str:
        if value not in self.options:
            raise ValueError
        return str(value)


@dataclass(frozen=True)
class Flag(Spec):
    """Yes or no."""

    wants: ClassVar[str] = "True or False"

    def check(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError
        return value


@dataclass(frozen=True)
class Text(Spec):
    """A short name, such as that of a layer."""

    longest: int = 400

    @property
    def allowed(self) -> str:
        return f"a text of 1 to {self.longest} characters"

    def check(self, value: Any) -> str:
        if not isinstance(value, str) or not 0 < len(value) <= self.longest:
            raise ValueError
        return value


@dataclass(frozen=True)
class Reals(Spec):
    """A short list of finite numbers, one for each channel."""

    longest: int = 64

    @property
    def allowed(self) -> str:
        return f"a number, or a list of 1 to {self.longest} numbers"

    def check(self, value: Any) -> tuple[float, ...]:
        if isinstance(value, set | frozenset | dict):  # no order, so no channel for a number
            raise ValueError
        numbers = (value,) if isinstance(value, int | float) else tuple(value)
        if not 0 < len(numbers) <= self.longest:
            raise ValueError
        return tuple(Real().check(number) for number in numbers)


@dataclass(frozen=True)
class Part(Spec):
    """Another registered object, such as the base of a wrapper; `of` names its table."""

    of: str = "method"

    @property
    def allowed(self) -> str:
        return f"a {self.of}"

    def check(self, value: Any) -> Any:
        from saliency_core.registry import Registered

        if isinstance(value, str):
            from saliency_core.grammar import parse

            return parse(self.of, value)
        if not isinstance(value, Registered) or type(value).family != self.of:
            raise ValueError
        return value


def param(spec: Spec) -> Any:
    """Declare a dataclass field by its spec."""
    if spec.default is REQUIRED:
        return dataclasses.field(metadata={"spec": spec})
    return dataclasses.field(default=spec.default, metadata={"spec": spec})


def specs(kind: type | object) -> dict[str, Spec]:
    """Return the settings of a registered class, by field name, in order."""
    return {f.name: f.metadata["spec"] for f in dataclasses.fields(kind) if "spec" in f.metadata}  # type: ignore[arg-type]


def check_setting(owner: str, name: str, spec: Spec, value: Any) -> Any:
    """Return the checked value, or raise SettingError that names owner, setting, given and allowed."""
    try:
        return spec.check(value)
    except (ValueError, TypeError, OverflowError):
        raise SettingError(f"{owner}: {name} cannot be {_short(value)}.", f"Give {spec.allowed}.") from None


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a whole number with thousands of digits is refused by repr
        text = f"such a large {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."


def _is_whole(value: Any) -> bool:
    return not isinstance(value, str | bytes) and float(value) == int(value)


def _inside(value: Any, low: Any, high: Any) -> Any:
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError
    return value


def _between(low: Any, high: Any) -> str:
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return "" if high is None else f" of at most {high}"
