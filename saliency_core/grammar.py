"""Spellings: text that parses back to the object, read without running anything."""

from __future__ import annotations

import ast
import operator
from typing import Any

from saliency_core.errors import SettingError
from saliency_core.registry import Registered, lookup
from saliency_core.spec import REQUIRED, Part, Real, check_setting, specs

LONGEST = 1_000_000


def spell(thing: Any) -> str:
    """Return the text of an object; every setting is written out, so later defaults change nothing."""
    if isinstance(thing, Registered):
        if hasattr(thing, "spelled"):
            return str(thing.spelled())
        settings = [(name, spell(getattr(thing, name))) for name in specs(thing)]
        if len(settings) == 1 and not isinstance(specs(thing)[settings[0][0]], Part):
            return f"{thing.id}({settings[0][1]})"
        return f"{thing.id}({', '.join(f'{name}={text}' for name, text in settings)})"
    if isinstance(thing, tuple | list):
        return "[" + ", ".join(spell(item) for item in thing) + "]"
    return repr(thing)


def parse(family: str, text: str) -> Any:
    """Read a spelling such as `class_logit(3)`; raises SettingError that quotes what it cannot read."""
    if not isinstance(text, str) or len(text) > LONGEST:
        raise SettingError(f"A {family} is written as a text of at most {LONGEST} characters.")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unreadable(family, text) from None
    try:
        found = _read(family, tree.body, text)
    except RecursionError:
        raise SettingError(f"The {family} {_quote(text)} is nested too deeply.") from None
    if not isinstance(found, Registered):
        raise _unreadable(family, text)
    return found


def _read(family: str, node: ast.expr, text: str) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=name)):
            return _call(family, name, node, text)
        case ast.Name(id=name):
            return _call(family, name, ast.Call(node, [], []), text)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() as sign, right=right):
            return _combine(sign, _operand(family, left, text), _operand(family, right, text), text)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_operand(family, operand, text)
    raise _unreadable(family, text)


def _operand(family: str, node: ast.expr, text: str) -> Any:
    if family != "target":
        raise SettingError(f"A {family} cannot be added or scaled: {_quote(text)}.")
    if isinstance(node, ast.Constant):
        return check_setting(_quote(text), "a factor", Real(), node.value)
    return _read(family, node, text)


def _combine(sign: ast.operator, left: Any, right: Any, text: str) -> Any:
    factors = isinstance(left, float) + isinstance(right, float)
    if factors != isinstance(sign, ast.Mult):
        raise SettingError(
            f"{_quote(text)} mixes numbers and targets in a way that has no meaning.",
            "Add and subtract targets, and multiply each by one number: class_logit(3) - 0.5*class_logit(8).",
        )
    signs = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
    return signs[type(sign)](left, right)


def _call(family: str, name: str, node: ast.Call, text: str) -> Any:
    cls = lookup(family, name)
    known = specs(cls)
    given: dict[str, Any] = {}
    if len(node.args) > len(known):
        raise SettingError(f"{name} takes {len(known)} settings, {len(node.args)} were given.")
    pairs = [
        *zip(known, node.args, strict=False),
        *((word.arg or "**", word.value) for word in node.keywords),
    ]
    for key, value in pairs:
        if key not in known:
            raise SettingError(f"{name} has no setting {key!r}.", f"It has: {', '.join(known) or 'none'}.")
        if key in given:
            raise SettingError(f"{name}: {key} is given twice in {_quote(text)}.")
        given[key] = _value(known[key], value, text)
    absent = [key for key, spec in known.items() if spec.default is REQUIRED and key not in given]
    if absent:
        raise SettingError(f"{name} needs {', '.join(absent)}.", f"Write it like {_example(family, cls)}.")
    return cls(**given)


def _value(spec: Any, node: ast.expr, text: str) -> Any:
    if isinstance(spec, Part):
        return _read(spec.of, node, text)
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError):
        raise SettingError(f"{_quote(text)}: only numbers, texts and lists can be settings.") from None


def _unreadable(family: str, text: str) -> SettingError:
    return SettingError(f"The {family} {_quote(text)} cannot be read.", f"Write it like {_example(family)}.")


def _quote(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _example(family: str, cls: Any = None) -> str:
    if cls is not None:
        return f"{cls.id}({', '.join(specs(cls))})"
    return {"target": "class_logit(3)", "method": "gradient()", "preprocessing": "unit()"}.get(
        family, "name()"
    )
