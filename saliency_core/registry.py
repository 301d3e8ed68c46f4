"""Tables of everything that can be chosen: methods, targets, palettes, preprocessings, models."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from functools import cache
from typing import Any, ClassVar, TypeVar

from saliency_core.errors import SettingError
from saliency_core.spec import REQUIRED, Part, Spec, check_setting, specs

_TABLES: dict[str, dict[str, type[Registered]]] = {}
T = TypeVar("T", bound="Registered")
DEEPEST = 5  # each wrapper doubles, at least, the images that are held at once


class Registered:
    """A frozen dataclass that can be chosen by name, checked at construction and spelled as text."""

    family: ClassVar[str] = ""
    id: ClassVar[str] = ""
    title: ClassVar[str] = ""
    cites: ClassVar[tuple[str, ...]] = ()
    hidden: ClassVar[bool] = False  # spelled and parsed, but not offered in menus

    def __post_init__(self) -> None:
        for name, spec in specs(self).items():
            value = check_setting(type(self).id, name, spec, getattr(self, name))
            object.__setattr__(self, name, value)
        if _depth(self) > DEEPEST:
            raise SettingError(
                f"{self.id}: more than {DEEPEST} lie one in another, down to the innermost part.",
                "Leave a wrapper out.",
            )

    @property
    def spelling(self) -> str:
        """The text that parses back to this object."""
        from saliency_core.grammar import spell

        return spell(self)

    def __str__(self) -> str:
        return self.spelling

    @classmethod
    def pattern(cls) -> str:
        """How it is written: `layer_unit(layer, row=0, ...)`; what has a value may be left out."""
        parts = (
            name if spec.default is REQUIRED else f"{name}={_default(spec)}"
            for name, spec in specs(cls).items()
        )
        return f"{cls.id}({', '.join(parts)})"

    @classmethod
    def summary(cls) -> str:
        """The first docstring line: the sentence that users read."""
        return (inspect.getdoc(cls) or "").split("\n", 1)[0]


def register(family: str, id: str, *, title: str, **facts: Any) -> Callable[[type[T]], type[T]]:
    """Enter a class in a table under a name that never changes; facts become class attributes."""

    def enter(cls: type[T]) -> type[T]:
        table_of_family = _TABLES.setdefault(family, {})
        if id in table_of_family and table_of_family[id].__qualname__ != cls.__qualname__:
            raise RuntimeError(f"two classes want to be the {family} {id!r}")
        for name, value in {"family": family, "id": id, "title": title, **facts}.items():
            setattr(cls, name, value)
        made = cls if dataclasses.is_dataclass(cls) and "__dataclass_fields__" in vars(cls) else _freeze(cls)
        table_of_family[id] = made
        return made

    return enter


def table(family: str) -> dict[str, type[Registered]]:
    """Return everything registered in a family, by id: module by module, in order of registration."""
    _load(family)
    return dict(sorted(_TABLES.get(family, {}).items(), key=lambda entry: entry[1].__module__))


def lookup(family: str, id: str) -> type[Registered]:
    """Return one registered class, or raise SettingError that lists what there is."""
    known = table(family)
    if id not in known:
        names = [name for name, cls in known.items() if not cls.hidden]
        hint = (
            f"Choose one of: {', '.join(names)}." if len(names) > 1 else f"Write {known[names[0]].pattern()}."
        )
        raise SettingError(f"There is no {family} {id[:60]!r}.", hint)
    return known[id]


def _depth(part: Any) -> int:
    """Return how many registered objects lie one in another, this one included."""
    inner = (getattr(part, name) for name, spec in specs(part).items() if isinstance(spec, Part))
    return 1 + max(map(_depth, inner), default=0)


def _default(spec: Spec) -> str:
    """Write the default of a setting; that of a part may be given by its spelling."""
    spelled = isinstance(spec, Part) and isinstance(spec.default, str)
    return str(spec.default) if spelled else _written(spec.default)


def _written(default: Any) -> str:
    return str(default) if isinstance(default, Registered) else repr(default)


def _freeze(cls: type[T]) -> type[T]:
    return dataclasses.dataclass(frozen=True)(cls)


@cache
def _load(family: str) -> None:
    """Import the modules whose classes fill a table, once."""
    import importlib
    import pkgutil

    if family == "method":
        from saliency_core import methods

        for found in pkgutil.iter_modules(methods.__path__):
            importlib.import_module(f"{methods.__name__}.{found.name}")
        known = _TABLES[family].items()  # some may have been imported earlier, one by one
        _TABLES[family] = dict(sorted(known, key=lambda entry: entry[1].__module__))
    elif family in _HOMES:
        importlib.import_module(_HOMES[family])


_HOMES = {
    "target": "saliency_core.targets",
    "preprocessing": "saliency_core.models.preprocessing",
    "look": "saliency_core.render.look",
    "baseline": "saliency_core.baselines",
}
