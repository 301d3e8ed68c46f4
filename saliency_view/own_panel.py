"""The box in the sidebar that opens a visitor's own model, and says how it is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import PurePath
from typing import Any

import streamlit as st

from saliency_core.errors import SaliencyError
from saliency_core.grammar import parse
from saliency_core.images.picture import clean_name
from saliency_core.registry import table
from saliency_view import compute, own_models, state
from saliency_view.components.narrow import close_sidebar
from saliency_view.state import View
from saliency_view.text import plain

ENDINGS = ("keras", "h5", "hdf5", "pb", "zip")
LIMIT_MB = 100  # a ResNet50 has 98 and takes 5 of the 6 GiB that its process may have
PROMISE = (
    "A .keras or .h5 file, a frozen graph (.pb), or a SavedModel as .zip. It is checked before anything of "
    "it runs, and then runs in a process of its own, shut in as the page About says. It is gone when you "
    "leave."
)
LIMIT = f"At most {LIMIT_MB} MB. A file marked red was not taken: too large, of another kind, or too many."
PICTURES = (1, 3, 4)  # channels that a picture can have
ARRAYS = "No picture has so many; in Python, explain() takes an array of any number of channels."
AFFINE = "affine"
EXAMPLE = "affine(scale=[0.0039], shift=[0.0])"
NUMBERS = "Where the step before is your own: pixels times scale plus shift, one number or one a channel."
PORTS = ("signature", "input", "output")
PROPOSED = "as proposed"
PORT_HELP = "Choose from the list, or type another name and press Enter."
FIELDS = ("way", "affine", "labels", "size")
MOST = 200  # names in a list
SHAPE = "Height x width, such as 224x224, where the file leaves it open; x channels for a flat input."


def own_model_box(view: View) -> None:
    """Draw the box, closed until it is needed; a model that has just been opened becomes the view's."""
    if not own_models.allowed():
        return
    compute.stand_by()
    if times := own_models.opened_so_far():
        close_sidebar(str(times))
    wanted = own_models.opening()
    label = "Your own model" if own_models.is_own(view.model) else "Open your own model"
    with st.expander(label, icon=":material/upload_file:", expanded=wanted is not None):
        st.file_uploader("Model file", type=ENDINGS, key="model-upload", on_change=_take, help=PROMISE,
                         max_upload_size=LIMIT_MB)  # fmt: skip
        st.caption(LIMIT)
        for problem in state.problems("model"):
            st.error(plain(problem))
        if wanted is not None:
            _progress(wanted)
        elif not own_models.is_own(view.model):
            st.caption(PROMISE)
        name = wanted["id"] if wanted is not None else view.model
        if own_models.is_own(name):
            _choices(name, wanted or own_models.record(name))


def _take() -> None:
    """Store an uploaded file in a folder of the server's own, under a name of the server's own."""
    given = st.session_state["model-upload"]
    if given is None:
        return
    upload = compute.table().pool.uploads.keep(given.getvalue(), PurePath(given.name).suffix)
    compute.note_upload(upload.id)
    for old in own_models.add(upload, clean_name(given.name), state.current().model):
        compute.forget_upload(old.id)
    state.tell("model", [])


def _progress(wanted: dict[str, Any]) -> None:
    known = own_models.record(wanted["id"])
    params = {"model": wanted["id"], "choices": wanted["choices"], "labels": wanted["labels"]}
    job = compute.ask("own-model", "open", params, wait=0.3)
    if not job.ended:
        compute.follow(job, f"Opening {known['name']}", narrow=True)
        return
    if job.state == "done" and job.result is not None:
        channels = job.result.message["card"]["input"][2]
        if channels not in PICTURES:
            state.tell("model", [f"{known['name']} takes images of {channels} channels. {ARRAYS}"])
            own_models.give_up()
            st.rerun()
        _show(own_models.settle(job.result.message["card"]))
        st.rerun()
    said = "Opening it was stopped." if job.error is None else f"{job.error.problem} {job.error.hint}"
    st.error(plain(said if known["name"] in said else f"{known['name']}: {said}"))
    left, right = st.columns(2)
    if left.button("Try again", width="stretch", key="own-again"):
        compute.again(job)
        st.rerun()
    if right.button("Close", width="stretch", key="own-close"):
        own_models.give_up()
        st.rerun()


def _show(name: str) -> None:
    """Make a model that is open the view's; a question that it cannot answer gives way to the usual one."""
    try:
        state.change(model=name)
    except SaliencyError:  # opened anew with another output it may have fewer classes
        state.change(model=name, target="")


def _choices(name: str, now: dict[str, Any]) -> None:
    """Draw how the model is opened; nothing happens until the button is pressed."""
    given = now["choices"]
    form = form_of(name, now)
    spelled = given.get("preprocessing", "raw()")
    ways = [id for id, cls in table("preprocessing").items() if not cls.hidden]
    affine = spelled if spelled.startswith(AFFINE) else ""
    with st.form(f"own-{form}", border=False):
        st.selectbox(
            "Preprocessing",
            ways,
            ways.index(parse("preprocessing", spelled).id),
            key=f"{form}-way",
            format_func=lambda id: f"{table('preprocessing')[id].title}: {id}",
            help="What the network was trained with; the doctor says when another fits better.",
        )
        st.text_input("Own numbers", affine, key=f"{form}-affine", placeholder=EXAMPLE, help=NUMBERS)
        labels = "\n".join(now["labels"])
        st.text_area(
            "Names of the classes", labels, key=f"{form}-labels", height=68, placeholder="one a line"
        )
        size = "x".join(map(str, given.get("size") or ()))
        st.text_input("Image size", size, key=f"{form}-size", placeholder="as in the file", help=SHAPE)
        with st.expander("Which input and output"):
            for field, names in offered((own_models.record(name)["card"] or {}).get("description")).items():
                _port(form, field, names, str(given.get(field, "")))
        st.form_submit_button("Open with these", width="stretch", on_click=_reopen, args=(name, form))


def form_of(name: str, now: Mapping[str, Any]) -> str:
    """Return the key of the fields: others for other choices, so that they never show what was before."""
    told = json.dumps([now["choices"], now["labels"]], sort_keys=True)
    return f"{name}-{sha256(told.encode()).hexdigest()[:12]}"


def offered(description: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """Return what can be chosen of a file, each with the names that are known; all before it is open."""
    if description is None:
        return {field: [] for field in PORTS}
    found = {field: [port["name"] for port in description[f"{field}s"]] for field in ("input", "output")}
    if description["format"].startswith("Keras"):
        del found["input"]  # all images that it takes stand side by side
    return ({"signature": list(description["signatures"])} if description["signatures"] else {}) | found


def _port(form: str, field: str, names: list[str], before: str) -> None:
    """Draw one choice as a list that takes other names, too: a file has more tensors than it proposes."""
    known = list(dict.fromkeys([*([before] if before else []), *names[:MOST]]))
    st.selectbox(field.capitalize(), known, known.index(before) if before else None, key=f"{form}-{field}",
                 placeholder=PROPOSED, accept_new_options=True, help=PORT_HELP)  # fmt: skip


def _reopen(name: str, form: str) -> None:
    said = {field: st.session_state.get(f"{form}-{field}") or "" for field in (*FIELDS, *PORTS)}
    try:
        spelled = said["affine"] or f"{AFFINE}()" if said["way"] == AFFINE else f"{said['way']}()"
        way = parse("preprocessing", spelled).spelling
        choices: dict[str, Any] = {"preprocessing": way, "size": _size(said["size"])}
    except SaliencyError as problem:
        state.tell("model", [str(problem)])
        return
    choices |= {field: said[field].strip() for field in PORTS}
    labels = [line.strip() for line in said["labels"].splitlines() if line.strip()]
    own_models.want(name, choices, labels)
    state.tell("model", [])


def _size(text: str) -> list[int] | None:
    parts = text.lower().replace(" ", "").split("x") if text.strip() else []
    if not parts:
        return None
    if len(parts) not in (2, 3) or not all(part.isdigit() and int(part) for part in parts):
        raise SaliencyError(f"{text[:40]!r} is no size.", "Write 224x224, or 28x28x1 for a flat input.")
    return [int(part) for part in parts]
