"""A lesson's way to the workers: a result when there is one, else how far it is or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from saliency_core.attribution import Attribution
from saliency_core.images import Image
from saliency_core.workers.jobs import Job
from saliency_view import compute, panels, pictures
from saliency_view.state import View

Arrays = Mapping[str, np.ndarray]


def asked(panel: str, task: str, view: View, more: Mapping[str, Any], arrays: Arrays | None = None) -> Job:
    """Ask a task about the image of a view; `more` are its own settings, `arrays` go with the image."""
    picture = pictures.seen(view)
    params = {"model": view.model, "fit": view.fit, **_image(picture), **more}
    return compute.ask(f"lesson-{panel}", task, params, {"image": picture.pixels, **(arrays or {})})


def explained(panel: str, view: View) -> Job:
    """Ask for the plain gradient of a view's target."""
    more = {
        "target": view.target,
        "method": "gradient()",
        "image_facts": pictures.decoded(view),
    }
    return asked(panel, "explain", view, more)


def finished(job: Job, words: str) -> bool:
    """Tell whether there is a result; otherwise show the progress with `words`, or what went wrong."""
    if job.state == "done" and job.result is not None:
        return True
    if job.ended:
        panels.failure(job)
    else:
        compute.follow(job, words)
    return False


def arrays_of(job: Job) -> Arrays:
    """Return the arrays of a finished job."""
    assert job.result is not None
    return job.result.arrays


def attribution_of(job: Job) -> Attribution:
    """Return the result of a finished `explained`."""
    return panels.attribution(job)


def _image(picture: Image) -> dict[str, str]:
    return {"image_name": picture.name, "image_digest": picture.digest, "format": picture.format}
