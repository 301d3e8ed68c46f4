"""Widgets drawn from specs: a setting that is declared in the core needs no line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from saliency_core.errors import SaliencyError
from saliency_core.registry import Registered, table
from saliency_core.spec import Choice, Flag, Integer, Part, Real, Spec, Text, specs
from saliency_view import state
from saliency_view.text import plain

GROUPS = ("Gradients", "Sampling", "Paths", "Regions", "Layer relevance", "Black box")  # order in menus
PLAINEST = "gradient"
SIDE_BY_SIDE = 20  # letters of two options that fit into the sidebar beside each other, in a frame too
DRAWN = "drawn"  # in the session: the form of each widget, by its key
OnValue = Callable[[Any], None]


@dataclass(frozen=True)
class Options:
    """What a setting may be on this model: a closed list, with the text to show for each value."""

    values: Sequence[Any]
    shown: Callable[[Any], str] = str


def let_show(key: str, value: Any, *form: Any) -> None:
    """Let the widget of a key show a value, where it does not already.

    What is put into the session goes to the browser at every run, and would take back what the visitor has
    chosen there while that run was on its way. `form` is all that makes it another widget, which begins anew:
    what it is, what can be chosen, its bounds and texts.
    """
    drawn = st.session_state.setdefault(DRAWN, {})
    same = drawn.get(key) == form
    drawn[key] = form
    if not same or key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value


def choose(
    label: str,
    key: str,
    options: Options,
    value: Any,
    on_value: OnValue,
    *,
    help: str = "",
    flat: bool = False,
    bare: bool = False,
    width: Any = "stretch",
) -> None:
    """Draw a choice of one; `flat` shows all options side by side, `bare` hides the label from sight."""
    values = list(options.values)
    form = (label, flat, bare, help, *map(options.shown, values))
    let_show(key, value if value in values else values[0], *form)
    settings: dict[str, Any] = {"help": help or None, "format_func": options.shown}
    settings["label_visibility"] = "collapsed" if bare else "visible"

    def told() -> None:
        if st.session_state[key] in values:  # options that have just changed may send what is no more
            _tell(key, on_value)()

    if flat:
        st.segmented_control(label, values, key=key, on_change=told, required=True, **settings)
    else:
        st.selectbox(label, values, key=key, on_change=told, width=width, **settings)


def settings(
    prefix: str,
    cls: type[Registered],
    current: Mapping[str, Any],
    on_value: Callable[[str, Any], None],
    options: Mapping[str, Options] | None = None,
    limits: Mapping[str, int] | None = None,
) -> None:
    """Draw every setting of a registered class; `options` and `limits` narrow them to this model."""
    for name, spec in specs(cls).items():
        key, label = f"{prefix}-{cls.id}-{name}", spec.title or name.replace("_", " ").capitalize()
        setting = _Setting(key, label, spec, current.get(name), _named(on_value, name))
        if options and name in options:
            choose(label, key, options[name], setting.value, setting.on_value, help=spec.help)
        else:
            _draw(setting, (limits or {}).get(name), options)


@dataclass(frozen=True)
class _Setting:
    key: str
    label: str
    spec: Spec
    value: Any
    on_value: OnValue


def _draw(setting: _Setting, high: int | None, options: Mapping[str, Options] | None) -> None:
    spec, key = setting.spec, setting.key
    label = f"{setting.label} ({spec.unit})" if spec.unit else setting.label
    told = _tell(key, setting.on_value)
    match spec:
        case Choice():
            titles = dict(zip(spec.options, spec.titles or spec.options, strict=True))
            short = len(titles) <= 2 and len("".join(titles.values())) <= SIDE_BY_SIDE
            choose(label, key, Options(spec.options, titles.__getitem__), setting.value, setting.on_value,
                   help=spec.help, flat=short)  # fmt: skip
        case Flag():
            let_show(key, bool(setting.value), label, "toggle")
            st.toggle(label, key=key, on_change=told, help=spec.help)
        case Integer() | Real():
            _number(setting, label, high)
        case Text():
            let_show(key, setting.value or "", label, "text")
            st.text_input(label, key=key, on_change=told, help=spec.help)
        case Part(of=family):
            _part(setting, family, label, options)
        case _:
            st.caption(plain(f"{label}: {setting.value}"))


def _part(setting: _Setting, family: str, label: str, options: Mapping[str, Options] | None) -> None:
    """Draw a setting that is itself a registered object: which one, and its own settings below."""
    offered = by_group(family)
    part = setting.value if setting.value is not None else next(iter(offered.values()))()
    choose(label, setting.key, Options(list(offered), lambda name: offered[name].title), part.id,
           lambda name: setting.on_value(offered[name]()), help=setting.spec.help)  # fmt: skip
    if specs(part):
        with st.container(border=True):
            current = {name: getattr(part, name) for name in specs(part)}
            settings(setting.key, type(part), current,
                     lambda name, value: setting.on_value(replace(part, **{name: value})),
                     options)  # fmt: skip


def by_group(family: str) -> dict[str, type[Registered]]:
    """Return what can be chosen of a family, by id: those of one group together, the plainest first."""
    offered = {id: cls for id, cls in table(family).items() if not cls.hidden}

    def place(id: str) -> tuple[int, bool]:
        group = getattr(offered[id], "group", "")
        return GROUPS.index(group) if group in GROUPS else len(GROUPS), id != PLAINEST

    return {id: offered[id] for id in sorted(offered, key=place)}


def _number(setting: _Setting, label: str, high: int | None) -> None:
    """Draw a slider between two known ends, else a field; the value is clamped to what is allowed."""
    spec, key = setting.spec, setting.key
    whole = isinstance(spec, Integer)
    kind: type[int] | type[float] = int if whole else float
    low, top = getattr(spec, "low", None), getattr(spec, "high", None)
    top = high if high is not None else top
    value = kind(setting.value if setting.value is not None else (low or 0))
    value = min(value, kind(top)) if top is not None else value
    bounds = {
        "min_value": None if low is None else kind(low),
        "max_value": None if top is None else kind(top),
        "step": kind(getattr(spec, "step", 1)) or None,
    }
    let_show(key, value, label, *bounds.values())
    told = _tell(key, setting.on_value)
    slides = low is not None and top is not None and top > low and not whole
    draw: Any = st.slider if slides else st.number_input
    draw(label, key=key, on_change=told, help=spec.help, **bounds)


def _tell(key: str, on_value: OnValue) -> Callable[[], None]:
    def told() -> None:
        try:
            on_value(st.session_state[key])
        except SaliencyError as problem:  # settings that do not go together
            state.tell("address", [str(problem)])

    return told


def _named(on_value: Callable[[str, Any], None], name: str) -> OnValue:
    def told(value: Any) -> None:
        on_value(name, value)

    return told
