"""What the visitor looks at: a handful of spellings, kept in the session and in the address bar."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from saliency_core.errors import SaliencyError, TargetError
from saliency_core.gallery import for_model, sample
from saliency_core.grammar import parse
from saliency_core.images import HOWS
from saliency_core.models.opening import FIRST_MODEL
from saliency_core.render.look import Look
from saliency_core.targets import Target
from saliency_view import own_models
from saliency_view.facts import Facts, default_target, facts, suits

KEY = "view"
LONGEST = 8000
OWN = "own"  # the image id of a visitor's own picture, which no address can hold
OWN_KEY = "own_picture"
WRITTEN = "written"  # what this session has put into the address bar, and on which page


@dataclass(frozen=True)
class View:
    """Model and image by id; target, method and look by spelling; how the image is fitted."""

    model: str = FIRST_MODEL
    image: str = ""
    target: str = ""
    method: str = "gradient()"
    fit: str = ""
    look: str = ""

    def settled(self) -> View:
        """Return the view with every gap filled by what suits the model; raises SaliencyError."""
        known = facts(self.model)
        image = self.image or for_model(suits(self.model))[0].id
        if image != OWN:
            sample(image)
        method = parse("method", self.method)
        target = parse("target", self.target or default_target(self.model))
        _check_classes(target, known)
        look = parse("look", self.look) if self.look else Look.for_kind(method.kind)
        if look.channel >= known.input[2]:
            look = look.with_reduce("max_abs")
        fit = self.fit or known.fit
        if fit not in HOWS:
            raise SaliencyError(f"fit is {fit[:40]!r}.", f"Choose one of {', '.join(HOWS)}.")
        return View(self.model, image, target.spelling, method.spelling, fit, look.spelling)


def current() -> View:
    """Return the session's view; a new session takes it from the address bar."""
    if KEY not in st.session_state:
        st.session_state[KEY] = asdict(_from_address())
    view = View(**st.session_state[KEY])
    if own_models.is_own(view.model) and view.model not in own_models.records():
        tell("address", ["The model that was shown is gone; another takes its place. Open its file again."])
        view = View(image=view.image if view.image == OWN else "").settled()
        st.session_state[KEY] = asdict(view)
    return view


def change(**words: Any) -> None:
    """Change parts of the view; a new model brings an image and a target that suit it."""
    before = current()
    after = replace(before, **words)
    if after.model != before.model:
        after = replace(after, target=words.get("target", ""), fit=words.get("fit", ""))
        if "image" not in words and after.image != OWN:
            after = replace(after, image="")
    if after.method != before.method and "look" not in words:
        kinds = [parse("method", view.method).kind for view in (before, after)]
        after = after if kinds[0] == kinds[1] else replace(after, look="")
    st.session_state[KEY] = asdict(after.settled())
    for kind in ("address", "picture", "model"):
        tell(kind, [])


def follow_address(page: str) -> None:
    """Take the view from the address bar after the visitor went back or forward on a page.

    Only the browser can tell: a busy one asks with addresses of long ago that nobody went back to.
    """
    given = dict(st.query_params)
    last = st.session_state.get(WRITTEN)
    if given and last is not None and last["page"] == page and given != last["words"] and went_back():
        st.session_state[KEY] = asdict(_from_address())


def went_back() -> bool:
    """Tell whether this run was asked for by the browser's arrows."""
    context = get_script_run_ctx(suppress_warning=True)
    return context is not None and context.is_history_navigation


def write_address(page: str) -> None:
    """Put the view into the address bar, so that copying it reproduces the page."""
    wanted, given = address(), dict(st.query_params)
    last = st.session_state.get(WRITTEN)
    said = last is not None and (last["page"], last["words"]) == (page, wanted)
    if said and given in (wanted, {}):
        return  # a page is entered without words; to write them again would close the way back
    if given != wanted:
        st.query_params.from_dict(wanted)
    st.session_state[WRITTEN] = {"page": page, "words": wanted}


def address() -> dict[str, str]:
    """Return the view as the words of an address, as far as one can hold it."""
    return {name: word for name, word in asdict(current()).items() if name != "target" or travels()}


def travels() -> bool:
    """Tell whether the address bar can hold the question as it is asked now."""
    return len(current().target) <= LONGEST


def tell(kind: str, sentences: list[str]) -> None:
    """Keep what could not be done until the next thing that can: `kind` is "address" or "picture"."""
    st.session_state[f"{kind}_problems"] = sentences


def problems(kind: str) -> list[str]:
    """Return what could not be done, however often the page is drawn meanwhile."""
    found: list[str] = st.session_state.get(f"{kind}_problems", [])
    return found


def _check_classes(target: Target, known: Facts) -> None:
    """Refuse a class that the model does not have; layers and units are known only once it is open."""
    for name in ("index", "this", "that"):
        if getattr(target, name, -1) >= known.classes:
            way_out = f"Its classes are 0 to {known.classes - 1}." if known.classes else "Explain a unit."
            raise TargetError(f"{known.title} has no class {str(getattr(target, name))[:20]}.", way_out)


def _from_address() -> View:
    """Read the address bar part by part; a part that cannot be read falls back to its default."""
    view, wrong = View(), []
    for field in fields(View):
        given = st.query_params.get(field.name, "")[:LONGEST]
        if not given:
            continue
        try:
            candidate = replace(view, **{field.name: given})
            candidate.settled()
            view = candidate
        except SaliencyError as problem:
            wrong.append(str(problem))
    if view.image == OWN and OWN_KEY not in st.session_state:
        view = replace(view, image="").settled()
        wrong.append(
            "This address was made with an own picture, which stays with the visit that opened it. "
            f"Shown instead is {sample(view.image).title}; upload the picture again to go on with it."
        )
    tell("address", wrong)
    return view.settled()
