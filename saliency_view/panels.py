"""Pieces of a page that show one explanation: map, facts, predictions, evidence, files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from saliency_core.attribution import Attribution, Prediction
from saliency_core.errors import DownloadError, SaliencyError
from saliency_core.grammar import parse
from saliency_core.kinds import kind
from saliency_core.render.compose import SLIDE, beyond, cover, enlarge, overlay_png, render
from saliency_core.render.look import Look
from saliency_core.render.numbers import number_text
from saliency_core.render.palettes import palettes
from saliency_core.render.reduce import indistinct, reduce_channels
from saliency_core.render.scale import explain_flat, limit
from saliency_core.spec import specs
from saliency_core.workers import answers
from saliency_core.workers.jobs import Job
from saliency_view import compute, pictures, state
from saliency_view.components.bars import Bar, bars
from saliency_view.components.viewer import Box, viewer
from saliency_view.controls import Options, choose, let_show
from saliency_view.state import View
from saliency_view.text import plain

CHANNELS = {1: ("gray",), 3: ("red", "green", "blue")}
CLIPS = (90.0, 95.0, 99.0, 99.9, 100.0)
NARROW = 152  # pixels
SPELLED = 160  # characters of a target beside other facts


def problem(error: SaliencyError) -> None:
    """Show what is wrong and what to do."""
    st.error(f"{plain(error.problem)} {plain(error.hint)}")


def failure(job: Job) -> None:
    """Show why there is no result, and offer another try."""
    if job.state == "cancelled":
        st.info("The computation was stopped.")
    mishap(job)
    if job.state == "cancelled" or job.retryable or isinstance(job.error, DownloadError):
        if st.button("Try again", key=f"again-{job.key[1]}"):
            compute.again(job)
            st.rerun()
    elif st.button("Explain what is usual for this model"):
        state.change(target="", method="gradient()")
        st.rerun()


def mishap(job: Job) -> None:
    """Show what went wrong, if anything did."""
    if job.error is not None:
        number = f" The log has the details under error {job.error_id}." if job.error_id else ""
        st.error(f"{plain(job.error.problem)} {plain(job.error.hint)}{plain(number)}")


def attribution(job: Job) -> Attribution:
    """Return a job's result, or what is known of it so far, as the attribution it was in the worker."""
    found = job.result or job.partial
    assert found is not None
    return answers.attribution(found.message, found.arrays)


def photo_of(made: Attribution) -> np.ndarray:
    """Return the pixels that the model saw as uint8, (H, W, 1) or (H, W, 3)."""
    pixels = np.clip(np.rint(made.point), 0, 255).astype(np.uint8)
    return pixels if pixels.shape[2] in (1, 3) else pixels[..., :1]


def look_controls(view: View, made: Attribution) -> Look:
    """Draw what needs the server: channels, sign, clip. Opacity, palette and threshold are the viewer's."""
    look: Look = parse("look", view.look)
    channels = made.values.shape[2] if made.values.ndim == 3 else 1
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        titles, ends = _titles("sign"), kind(made.kind).ends
        signs = Options([sign for sign in titles if sign in ends], titles.__getitem__)
        if len(ends) > 1:
            choose(
                "Sign",
                "look-sign",
                signs,
                look.sign,
                lambda sign: _look(lambda now: now.with_sign(sign)),
                flat=True,
            )
        if channels > 1:
            _channel_controls(look, channels)
        clips = sorted({*CLIPS, look.clip})
        choose("Scale ends at", "look-clip", Options(clips, _clip_words), look.clip,
               lambda clip: _look(lambda now: replace(now, clip=clip)), width=NARROW)  # fmt: skip
        if made.error is not None:
            _flag_control(look, "faded")
        if made.kind == "region" and made.values.shape[:2] != made.point.shape[:2]:
            _flag_control(look, "smooth")
    return look


def _flag_control(look: Look, name: str) -> None:
    spec, key = specs(Look)[name], f"look-{name}"
    let_show(key, getattr(look, name), spec.title)
    st.toggle(spec.title, key=key, help=spec.help,
              on_change=lambda: _look(lambda now: replace(now, **{name: st.session_state[key]})))  # fmt: skip


def _channel_controls(look: Look, channels: int) -> None:
    ways = _titles("reduce")
    choose("Channels", "look-reduce", Options(list(ways), ways.__getitem__), look.reduce,
           lambda way: _look(lambda now: now.with_reduce(way)), width=NARROW)  # fmt: skip
    if look.reduce == "channel":
        names = CHANNELS.get(channels, tuple(str(n) for n in range(channels)))
        choose("Channel", "look-channel", Options(range(channels), lambda n: names[n]), look.channel,
               lambda n: _look(lambda now: replace(now, channel=n)), width=NARROW)  # fmt: skip


def _titles(name: str) -> dict[str, str]:
    spec: Any = specs(Look)[name]
    return dict(zip(spec.options, spec.titles, strict=True))


def _clip_words(clip: float) -> str:
    return "the largest value" if clip == 100 else f"{clip:g} % of pixels"


def _look(change: Callable[[Look], Look]) -> None:
    """Change the look as it is by now, which may be another than when its controls were drawn."""
    state.change(look=change(parse("look", state.current().look)).spelling)


def map_viewer(
    made: Attribution, look: Look, key: str, *, busy: bool = False, box: Box | None = None
) -> Look:
    """Show the map over the pixels that the model saw; return the look that the visitor has given it there.

    What the visitor sets goes into the address. `box` frames a part of the photo: top, left, bottom, right.
    """
    photo = photo_of(made)
    reduced = np.asarray(reduce_channels(made.values, look), np.float32)
    end = look.limit or limit(reduced, look.clip)
    cut = beyond(reduced, end)
    reduced = enlarge(reduced, *photo.shape[:2], cells=made.cells, smooth=look.smooth)
    faint = indistinct(made.values, made.error, look) if look.faded else None
    whole = made.values.ndim == 3 and made.values.shape[:2] == photo.shape[:2]
    offered = [(p.id, p.title, p.family, p.lut) for p in palettes()]
    shown = viewer(
        key=key,
        photo=photo,
        values=reduced,
        channels=made.values if whole else None,
        limit=end,
        family=look.palette_family,  # type: ignore[arg-type]
        palettes=offered,
        palette=look.palette,
        opacity=look.opacity,
        threshold=look.threshold,
        backdrop=look.backdrop,
        units=made.units,
        title=f"{parse('method', made.recipe['method']).name} of the {made.words}",
        note=explain_flat(made.values, look),
        busy=busy,
        quantity=kind(made.kind).quantity,
        negated=look.sign == "negative",
        ends=kind(made.kind).ends.get(look.sign, ("", "")),
        beyond=cut,
        box=box,
        faint=cover(faint, *photo.shape[:2], made.cells),
    )
    moved = replace(look, palette=shown.palette, opacity=shown.opacity, threshold=shown.threshold,
                    backdrop=shown.backdrop)  # fmt: skip
    if moved != look:
        state.change(look=moved.spelling)
    return moved


def shortened(spelling: str) -> str:
    """Return a spelling as far as a line of facts has room for it."""
    return spelling if len(spelling) <= SPELLED else f"{spelling[:SPELLED]} …"


def facts_line(made: Attribution, view: View) -> None:
    """Show which image, model and settings every number on the page belongs to."""
    recipe = made.recipe
    parts = (
        f"Image: {pictures.facts_of(view)}",
        f"Model: {recipe['model']}, SHA-256 {recipe['model_sha256'][:12]}, {recipe['preprocessing']}",
        f"Recipe: {recipe['method']} of {shortened(recipe['explained'])}, fit {recipe['fit']}",
        f"{made.seconds:.3f} s",
    )
    st.caption(plain(" · ".join(parts)), help="Every number on this page belongs to what is named here.")
    for notice in pictures.notices_of(view):
        st.caption(plain(f"Image note: {notice}."))


def predictions(made: Attribution, key: str) -> None:
    """Show the classes as bars; a press on one explains it."""
    if not made.predictions:
        return
    explained = parse("target", made.recipe["explained"])
    rows = [_bar(one) for one in made.predictions]
    unit = "probability" if made.predictions[0].probability is not None else "logit"
    picked = bars(
        key=key,
        rows=rows,
        selected=getattr(explained, "index", None),
        unit=f"{unit}; press a bar to explain that class",
        title="Predictions",
        full=None if unit == "probability" else max(1e-9, max(abs(row.value) for row in rows)),
    )
    if picked is not None and picked != getattr(explained, "index", None):
        state.change(target=f"class_logit({picked})")
        st.rerun()


def _bar(one: Prediction) -> Bar:
    if one.probability is None:
        return Bar(one.index, one.label, one.logit, number_text(one.logit))
    small = 0 < one.probability < 0.001
    return Bar(
        one.index, one.label, one.probability, "< 0.1 %" if small else f"{100 * one.probability:.1f} %"
    )


def findings(made: Attribution, view: View) -> None:
    """Show what the method found out beside the map, and the evidence for it."""
    for note in made.notes:
        st.caption(f":material/info: {plain(note)}")
    evidence(made, view)


def confirmable(made: Attribution) -> bool:
    """Tell whether the map is a derivative on this very image, which a finite difference can confirm."""
    method = parse("method", made.recipe["method"])
    return method.tangent(made.point[None], made.point[None]) is not None


def evidence(made: Attribution, view: View) -> None:
    """Show whether a finite difference confirms the map; it is computed after the map is on screen."""
    if not confirmable(made):
        st.caption("This map is no derivative, so no finite difference can confirm it.")
        return
    params = {"model": view.model, "target": made.recipe["explained"], "method": made.recipe["method"]}
    arrays = {"values": made.values, "point": made.point}
    job = compute.ask("evidence", "evidence", params, arrays, background=True, wait=0)
    if not job.ended:
        compute.wait_for(job, "Checking the map by finite differences …")
        return
    if job.state != "done" or job.result is None:
        st.caption("The check by finite differences did not finish.")
        return
    found = job.result.message
    if not found:
        st.caption("This map is no derivative, so no finite difference can confirm it.")
        return
    st.markdown(_verdict(found), help=plain(_evidence_help(found)))


def _verdict(found: Mapping[str, Any]) -> str:
    """Return in one line whether map and network agree, as markdown."""
    if not any((*found["predicted"], *found["measured"])):
        return (
            ":material/info: Nothing to check: neither map nor network changes along three random directions"
        )
    aside = " beside a kink" if found["beside"] or found.get("exactly") is not None else ""
    gap = plain(f"{number_text(found['error'])} (relative){aside}")
    if found["good"]:
        return f":green[:material/check_circle:] **Checked:** map and network agree within {gap}"
    return f":red[:material/error:] **Doubtful:** map and network differ by {gap}"


def _evidence_help(found: Mapping[str, Any]) -> str:
    pairs = ", ".join(
        f"{number_text(p)} against {number_text(m)}"
        for p, m in zip(found["predicted"], found["measured"], strict=True)
    )
    return (
        f"The image was moved by {found['step']:g} grey levels along three random directions, and the score "
        f"measured in {found['precision']}. Change per grey level, from the map against measured: {pairs}. "
        f"The figure is the relative difference; below 1e-3 is good. {found['sentence']}"
    )


def downloads(made: Attribution, look: Look) -> None:
    """Offer the overlay, the raw numbers and the figure for print; each is made when asked for."""
    name = f"saliency-{made.recipe['model']}-{made.recipe['image_sha256'][:8]}"

    def overlay() -> bytes:
        return overlay_png(render(made, photo_of(made), look), SLIDE)

    def figure(form: str) -> bytes:
        from saliency_core.render.figures import figure as draw
        from saliency_core.render.figures import figure_bytes

        return figure_bytes(draw(made, photo_of(made), look, made.words), form)

    with st.container(horizontal=True):
        for label, file, mime, make in (
            ("Overlay PNG", f"{name}.png", "image/png", overlay),
            ("Raw map NPZ", f"{name}.npz", "application/octet-stream", made.to_npz),
            ("Figure PDF", f"{name}.pdf", "application/pdf", lambda: figure("pdf")),
            ("Figure SVG", f"{name}.svg", "image/svg+xml", lambda: figure("svg")),
        ):
            st.download_button(label, make, file, mime, key=f"get-{label}", on_click="ignore",
                               icon=":material/download:")  # fmt: skip
