"""A model that runs in a confined process of its own: opened there, asked there, closed with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from saliency_core.arrays import Array
from saliency_core.engine.compiled import Compiled, Form
from saliency_core.engine.inspect import Anatomy
from saliency_core.errors import WorkerError
from saliency_core.models.description import Choices
from saliency_core.models.model import Card, Model
from saliency_core.revive import revive
from saliency_core.workers.remote import OnProgress, Remote

WITH_PIXELS = {"gradient": 1, "top": 1}  # place of the map among the answers of a form


@dataclass(frozen=True)
class Outline:
    """What is known of a frozen graph that lies in another process."""

    output: str
    shape: tuple[int, int, int]
    digest: str


class Elsewhere:
    """Stands for a compiled graph in another process: the five things that a model needs of it."""

    def __init__(self, remote: Remote, frozen: Outline, anatomy: Anatomy, norms_folded: bool) -> None:
        self._remote = remote
        self.frozen = frozen
        self.anatomy = anatomy
        self.norms_folded = norms_folded
        self.traces = 0

    def run(self, form: Form, *arrays: Array) -> list[Array]:
        """Run a form there; raises what it raises there, WorkerError when the process is lost."""
        given = {str(place): array for place, array in enumerate(arrays)}
        message, found = self._remote.call("run", {"form": asdict(form)}, given)
        self.traces = int(message.get("traces", 0))
        answers = [found[str(place)] for place in range(len(found))]
        place = WITH_PIXELS.get(form.kind)
        if place is not None and answers[place].shape != (form.rows, *self.frozen.shape):
            raise WorkerError("The process of this model answered with a map of another size.")
        return answers

    def close(self) -> None:
        """End the process."""
        self._remote.close()


def open_confined(
    path: Path,
    choices: Choices,
    labels: Sequence[str],
    name: str,
    on_progress: OnProgress | None = None,
) -> Model:
    """Check a file and open it in a confined process; raises ModelError with what is wrong and what to do."""
    remote = Remote.start(path)
    try:
        wanted = {"choices": asdict(choices), "labels": list(labels), "name": name}
        told, _ = remote.call("lay_open", wanted, on_progress=on_progress)
        card = revive(Card, told["card"])
        frozen = Outline(told["output"], card.input, card.digest)
        found = Elsewhere(remote, frozen, revive(Anatomy, told["anatomy"]), card.norms_folded)
    except (KeyError, TypeError) as problem:
        remote.close()
        raise WorkerError("The process of this model answered with nonsense.") from problem
    except BaseException:
        remote.close()
        raise
    return Model(cast("Compiled", found), card)  # it offers what a model needs of one
