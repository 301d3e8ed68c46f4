"""A model that has been opened: what it is, what it sees, what it answers, and probes into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from saliency_core.arrays import Array, Float, Points, Values
from saliency_core.attribution import Prediction, Ranking
from saliency_core.errors import ModelError
from saliency_core.images import Image, fit, read_image
from saliency_core.models.anatomy import Head, Layer, Signs
from saliency_core.models.canvas import is_several, laid_out, together
from saliency_core.models.description import Description, Place
from saliency_core.targets import Target

if TYPE_CHECKING:
    from saliency_core.engine.compiled import Compiled, Form
    from saliency_core.engine.kernels import KernelGradient


@dataclass(frozen=True)
class Card:
    """The facts about a model that are shown beside every map made with it."""

    name: str
    title: str
    about: str
    input: tuple[int, int, int]
    classes: int
    head: str
    preprocessing: str
    parameters: int
    operations: int
    layers: int
    digest: str
    labels: tuple[str, ...] = ()
    measured: tuple[dict[str, Any], ...] = ()
    licence: str = ""
    source: str = ""
    norms_folded: bool = False
    notices: tuple[str, ...] = ()  # what the check of a file found worth telling
    description: Description = field(default_factory=lambda: Description(""))

    def facts(self) -> dict[str, Any]:
        """The card as plain JSON data."""
        return asdict(self)


class Model:
    """An opened network; made by open_model."""

    def __init__(self, compiled: Compiled, card: Card, *, how: str = "crop") -> None:
        self._compiled = compiled
        self.card = card
        self.how = how

    @property
    def name(self) -> str:
        """Id in the catalogue, or the name given when it was opened."""
        return self.card.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes; empty where none are known."""
        return self.card.labels

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Tensors that can be explained, in order of computation."""
        return self._compiled.anatomy.layers

    @property
    def signs(self) -> Signs:
        """What the graph shows a doctor without being run."""
        return self._compiled.anatomy.signs

    @property
    def head(self) -> Head:
        """Where the logits are, and what follows them."""
        return self._compiled.anatomy.head

    @property
    def traces(self) -> int:
        """How often a function of this graph was traced; stays small whatever is asked."""
        return self._compiled.traces

    def run(self, form: Form, *arrays: Array) -> list[Array]:
        """Run one question on the graph; what probes are made of."""
        return self._compiled.run(form, *arrays)

    def outline(self) -> dict[str, Any]:
        """Return as plain data what another process needs to know of the graph."""
        return {"output": self._compiled.frozen.output, "anatomy": asdict(self._compiled.anatomy)}

    @property
    def places(self) -> tuple[Place, ...]:
        """Where each image input lies on the canvas, which is what maps are shown on."""
        return self.card.description.places

    def prepare(self, image: Any, how: str | None = None) -> Float:
        """Return the raw pixels that the model sees, (H, W, C) float32 in 0..255.

        `how` is "crop" (centre), "stretch" or "pad"; an image of the right size passes unchanged. A model
        with several image inputs sees them side by side: the same image in each, or one each of a list.
        """
        shape = self._compiled.frozen.shape
        if len(self.places) > 1:
            return laid_out(self.read(image, how), self.places, shape, how or self.how)
        return fit(self.read(image), *shape, how or self.how)

    def read(self, image: Any, how: str | None = None) -> Image:
        """Return an image as decoded; an array with as many channels as the model is taken as it is.

        A list of images, one for each image input, comes back as one image with all of them in place.
        """
        shape = self._compiled.frozen.shape
        if is_several(image):
            return together([read_image(one) for one in image], self.places, shape, how or self.how)
        return read_image(image, channels=shape[2])

    def classify(self, image: Any, how: str | None = None) -> Sequence[Prediction]:
        """Return every class with logit and probability, most likely first; empty without classes."""
        return self.predictions(self.head_values(self.prepare(image, how)[None]))

    def head_values(self, points: Points) -> list[Array]:
        """Return [logits] or [logits, probabilities] for points (B, H, W, C), B rows each."""
        head = self._compiled.anatomy.head
        names = tuple(name for name in (head.logits, head.probabilities) if name)
        return self._over("read", names, points) if head.outputs else []

    def survey(self, points: Points, tensors: Sequence[str]) -> tuple[Array, Array | None, list[Array]]:
        """Look at many points and inner tensors at once: answers, probabilities, and numbers by channel.

        The answers (B, ...) are the logits, or the output where there are no classes. For each tensor come
        mean, variance and largest value of its channels, (B, 3, channels).
        """
        answers, *found = self._over("channels", tuple(tensors), points)
        chances = found.pop(0) if self.head.probabilities else None
        return answers, chances, found

    def answer(self, point: Points) -> tuple[Array, Float | None]:
        """Return the answer to one point (H, W, C), and the gradient of its top class; None without one."""
        from saliency_core.engine.compiled import Form

        rows = self._compiled.anatomy.batch or 1
        batch = np.repeat(point[None], rows, 0)
        if self.head.outputs:
            try:
                _, gradient, logits, *_ = self._compiled.run(Form("top", (), rows), batch)
                return logits[0], gradient[0]
            except ModelError:  # the network cannot be differentiated
                pass
        return self._over("read", (self.head.logits,), point[None])[0][0], None

    def _over(self, kind: str, tensors: tuple[str, ...], points: Points) -> list[Array]:
        """Run a form over points with only two row counts, 1 and the chunk; the last chunk is filled up."""
        from saliency_core.engine.compiled import Form
        from saliency_core.engine.probe import chunk_for

        alone = len(points) == 1 and not self._compiled.anatomy.batch
        size = 1 if alone else chunk_for(self._compiled.anatomy)
        parts = []
        for first in range(0, len(points), size):
            part = points[first : first + size]
            full = np.concatenate([part, np.repeat(part[-1:], size - len(part), 0)])
            found = self._compiled.run(Form(kind, tensors, size), full)
            parts.append([one[: len(part)] for one in found])
        return [np.concatenate(columns) for columns in zip(*parts, strict=True)]

    def predictions(self, head_values: Sequence[Array]) -> Sequence[Prediction]:
        """Return the ranked classes of the first row of `head_values`."""
        if not head_values:
            return ()
        logits = np.asarray(head_values[0][0], np.float64).reshape(-1)
        chances = np.asarray(head_values[1][0], np.float64).reshape(-1) if len(head_values) > 1 else None
        if len(logits) == 1:
            logits = np.array([-logits[0], logits[0]])
            chances = None if chances is None else np.array([1 - chances[0], chances[0]])
        return Ranking(logits, chances, self.labels)

    def ask(
        self, target: Target, point: Points, slope: bool = True
    ) -> tuple[Target, Any, Sequence[Prediction]]:
        """Return the target as frozen on a point (H, W, C), a probe for it, and the predictions.

        The probe knows the point's score already, and with `slope` its gradient too.
        """
        from saliency_core.engine.probe import ask

        frozen, probe, head_values = ask(self._compiled, target, point, self.labels, slope)
        return frozen, probe, self.predictions(head_values)

    def exact_probe(self, frozen: Target, point: Points) -> tuple[Any, str]:
        """Return a probe in float64 and the name of its precision; float32 where the graph refuses."""
        from saliency_core.engine.probe import exact

        return exact(self._compiled, frozen, point, self.labels)

    def probe(self, target: Target | str, image: Any = None) -> Any:
        """Return a probe for a target; `image` is needed by targets that look at the clean image."""
        from saliency_core.engine.probe import EngineProbe, Reading
        from saliency_core.grammar import parse

        wanted = parse("target", target) if isinstance(target, str) else target
        point = None if image is None else self.prepare(image)
        reading = Reading(self._compiled, self.labels, point)
        return EngineProbe(self._compiled, wanted.freeze(reading).ask(reading))

    def kernel_gradient(self, image: Any, target: Target | str = "top_class()") -> KernelGradient:
        """Return the gradient of the first convolution's kernels, and its relation to the pixels.

        Raises ModelError for a model without a plain first convolution.
        """
        from saliency_core.engine.kernels import kernel_gradient

        probe = self.probe(target, image)
        return kernel_gradient(self._compiled, probe, self.prepare(image))

    def way_back(self, image: Any, delta: Array, how: str | None = None) -> Values:
        """Carry a gradient at the first convolution's output (h, w, M) back to the raw pixels (H, W, C).

        Raises ModelError for a model without a plain first convolution, or a `delta` of another shape.
        """
        from saliency_core.engine.way_back import way_back

        return way_back(self._compiled, self.prepare(image, how), delta)

    def activation(self, image: Any, layer: str, how: str | None = None) -> tuple[Layer, Array]:
        """Return a layer and its values on an image, (h, w, channels) or (units,)."""
        from saliency_core.engine.probe import Reading

        reading = Reading(self._compiled, self.labels, self.prepare(image, how))
        found = reading.find(layer)
        return found, reading.clean(found.tensor)
