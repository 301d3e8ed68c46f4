"""Weigh classes: lines of classes with one weight each, added up; the question behind them is a target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import streamlit as st

from saliency_core.attribution import Prediction
from saliency_core.targets import ClassDifference, ClassLogit, Combined, Target, TopClass, class_name
from saliency_view import state
from saliency_view.facts import Facts

Line = tuple[float, list[int]]  # a weight, and the classes that have it
MOST_LINES = 12


def lines_of(target: Target, predicted: Sequence[Prediction]) -> list[Line] | None:
    """Return a target as lines of classes, or None where it asks for anything else."""
    if isinstance(target, TopClass):
        return [(1.0, [predicted[0].index])] if predicted else None
    if isinstance(target, ClassLogit):
        return [(1.0, [target.index])]
    if isinstance(target, ClassDifference):
        return [(1.0, [target.this]), (-1.0, [target.that])]
    if not isinstance(target, Combined) or not all(isinstance(part, ClassLogit) for _, part in target.terms):
        return None
    found = []
    for weight, terms in groupby(target.terms, lambda term: term[0]):
        found.append((weight, list(dict.fromkeys(part.index for _, part in terms))))
    same = sum(len(classes) for _, classes in found) == len(target.terms)  # no class twice in a line
    return found if same and len(found) <= MOST_LINES else None


def target_of(lines: Sequence[Line]) -> Target:
    """Return the weighted sum of logits that lines stand for; there must be at least one class."""
    terms = tuple((weight, ClassLogit(index)) for weight, classes in lines for index in classes)
    return terms[0][1] if len(terms) == 1 and terms[0][0] == 1 else Combined(terms)


def parts_of(lines: Sequence[Line], predicted: Sequence[int]) -> list[tuple[float, Target]]:
    """Return a weight and a target without one for each line, to see whether their maps add up.

    A line alone is taken apart by its classes; a class alone is put together with the likeliest other one.
    """
    if len(lines) == 1:
        weight, classes = lines[0]
        other = [index for index in predicted if index not in classes][:1]
        lines = (
            [(weight, classes[:1]), (weight, classes[1:])] if classes[1:] else [(2.0, classes), (-0.5, other)]
        )
        lines = [line for line in lines if line[1]]
    return [(weight, target_of([(1.0, classes)])) for weight, classes in lines]


def class_editor(lines: list[Line], known: Facts, labels: Sequence[str], predicted: Sequence[int]) -> None:
    """Draw a line for each weight, and buttons for more; each change becomes the view's target."""
    names = [class_name(labels, index) for index in range(known.classes)]
    for place in range(len(lines)):
        _line(lines, place, names)
    used = {index for _, classes in lines for index in classes}
    spare = next((n for n in (*predicted, *range(known.classes)) if n not in used), None)
    full = spare is None or len(lines) >= MOST_LINES
    added = [*lines, (-1.0 if len(lines) == 1 else 0.5, [spare or 0])]
    with st.container(horizontal=True):
        st.button("Add a line", key="line-add", icon=":material/add:", disabled=full,
                  on_click=_take, args=(added,))  # fmt: skip
        if len(predicted) > 1:
            first, second, *rest = predicted
            st.button("A minus B", key="line-pair", help="The likeliest class less the next one.",
                      on_click=_take, args=([(1.0, [first]), (-1.0, [second])],))  # fmt: skip
            group = [second, *rest]
            st.button("A minus a group", key="line-group", disabled=not rest,
                      help=f"The likeliest class less the mean of the next {len(group)}.",
                      on_click=_take, args=([(1.0, [first]), (-1.0 / len(group), group)],))  # fmt: skip


def _line(lines: list[Line], place: int, names: list[str]) -> None:
    """Draw one line: its weight, its classes, and a button that takes it away."""
    weight, classes = lines[place]
    keys = {name: f"line-{place}-{name}" for name in ("weight", "classes", "remove")}
    st.session_state[keys["weight"]] = weight
    st.session_state[keys["classes"]] = classes

    def told(change: Callable[[], list[Line]]) -> Callable[[], None]:
        def on_change() -> None:
            _take([*lines[:place], *change(), *lines[place + 1 :]])

        return on_change

    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
            st.number_input(
                f"Weight {place + 1}", key=keys["weight"], step=0.5, format="%.4g", width=150,
                on_change=told(lambda: [(float(st.session_state[keys["weight"]]), classes)]),
            )  # fmt: skip
            st.button(
                "Remove", key=keys["remove"], icon=":material/delete:", type="tertiary",
                disabled=len(lines) == 1, help="Take this line away.", on_click=told(list),
            )  # fmt: skip
        st.multiselect(
            f"Classes of weight {place + 1}", range(len(names)), key=keys["classes"],
            format_func=lambda index: f"{names[index]} ({index})", placeholder="Choose classes",
            label_visibility="collapsed",
            on_change=told(lambda: [(weight, list(st.session_state[keys["classes"]]))]),
        )  # fmt: skip


def _take(lines: list[Line]) -> None:
    """Make lines the view's question; without any class the question stays."""
    kept = [(weight, classes) for weight, classes in lines if classes]
    if kept:
        state.change(target=target_of(kept).spelling)
