"""A model that runs in a confined process of its own: opened there, asked there, closed with it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from saliency_core.arrays import Array
from saliency_core.engine.compiled import Compiled, Form
from saliency_core.engine.inspect import Anatomy
from saliency_core.errors import WorkerError
from saliency_core.models.description import Choices
from saliency_core.models.model import Card, Model
from saliency_core.revive import revive
from saliency_core.workers.parting import joined
from saliency_core.workers.remote import OnProgress, Remote

NONSENSE = "The process of this model answered with nonsense."
MOST_NUMBERS = 64 << 20  # in a tensor, and in the images that go through at once: more could not come back


@dataclass(frozen=True)
class Outline:
    """What is known of a frozen graph that lies in another process."""

    output: str
    shape: tuple[int, int, int]
    digest: str


class Elsewhere:
    """Stands for a compiled graph in another process: the five things that a model needs of it."""

    alone = True  # one question at a time: calls side by side would only wait for each other

    def __init__(self, remote: Remote, frozen: Outline, anatomy: Anatomy, norms_folded: bool) -> None:
        self._remote = remote
        self.frozen = frozen
        self.anatomy = anatomy
        self.norms_folded = norms_folded
        self.traces = 0

    def run(self, form: Form, *arrays: Array) -> list[Array]:
        """Run a form there; raises what it raises there, WorkerError when the process is lost or wrong."""
        given = {str(place): array for place, array in enumerate(arrays)}
        message, found = self._remote.call("run", {"form": asdict(form)}, given)
        expected = self._shapes(form)
        answers = [found.get(str(place)) for place in range(len(expected))]
        stranger = [found.get(f"not finite {place}") for place in range(len(expected))]
        traces = message.get("traces")
        if type(traces) is not int or len(found) != sum(one is not None for one in (*answers, *stranger)):
            raise WorkerError(NONSENSE)
        whole = []
        for answer, strange, shape in zip(answers, stranger, expected, strict=True):
            if answer is None or answer.dtype.kind != "f" or shape not in (None, answer.shape):
                raise WorkerError("The process of this model answered with numbers of another shape or type.")
            whole.append(joined(answer, strange))
        self.traces = traces
        return whole

    def _shapes(self, form: Form) -> list[tuple[int, ...] | None]:
        """The shapes of the answers to a form; None where any will do."""
        rows, anatomy = form.rows, self.anatomy

        def of(*names: str) -> list[tuple[int, ...] | None]:
            return [(rows, *anatomy.tensors[name]) if name in anatomy.tensors else None for name in names]

        head = of(*(name for name in (anatomy.head.logits, anatomy.head.probabilities) if name))
        pixels = (rows, *self.frozen.shape)
        match form.kind:
            case "read":
                return of(*form.tensors)
            case "channels":
                return [*head, *(None for _ in form.tensors)]
            case "gradient" | "top":
                return [(rows,), pixels, *(head if anatomy.head.outputs and not form.double else [])]
            case "layer":
                return [(rows,), *of(form.at, form.at)]
            case "kernel":
                return [(rows,), None]
            case "biases":
                shares = [(rows, *bias.shape[:-1], 2) for bias in anatomy.biases]
                return [(rows,), *(of(anatomy.start) if anatomy.start else [pixels]), *shares]
            case "relevance":
                return [(rows,), pixels]
            case "carried" | "back":
                return [pixels]
            case "constant":
                return [None for _ in form.tensors]
            case "between":
                return [(len(anatomy.steps),)]
        return [(rows,)]

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
        return _model(remote, told)
    except (KeyError, TypeError) as problem:
        remote.close()
        raise WorkerError(NONSENSE) from problem
    except BaseException:
        remote.close()
        raise


def _model(remote: Remote, told: Mapping[str, Any]) -> Model:
    """The model that the process tells of; TypeError for one that cannot be."""
    card, anatomy = revive(Card, told["card"]), revive(Anatomy, told["anatomy"])
    frozen = Outline(revive(str, told["output"]), card.input, card.digest)
    batch = (max(anatomy.batch, 1), *card.input)
    shapes = (batch, *anatomy.tensors.values(), *(one.shape for one in (*anatomy.layers, *anatomy.biases)))
    if min(anatomy.batch, min(card.input) - 1, *(min(shape, default=0) for shape in shapes)) < 0:
        raise TypeError("The process tells of sizes below zero.")
    if max(map(math.prod, shapes)) > MOST_NUMBERS:
        raise TypeError("The process tells of more numbers than it could send.")
    found = Elsewhere(remote, frozen, anatomy, card.norms_folded)
    return Model(cast("Compiled", found), card)  # it offers what a model needs of one
