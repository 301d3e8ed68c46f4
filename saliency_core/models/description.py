"""What may be chosen when a file is opened, and what is found in it: plain data, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choices:
    """How a file is to be opened; everything is plain JSON data.

    preprocessing: its spelling. size: (height, width) or (height, width, channels), where the file
    leaves them open. signature: of a SavedModel. input, output: tensor names in a graph; for a Keras
    model `output` is a number or a name. others: fixed values for inputs that are no images, by name.
    """

    preprocessing: str = "raw()"
    size: tuple[int, ...] | None = None
    signature: str = ""
    input: str = ""
    output: str | int = ""
    others: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Port:
    """An input or output of a file: its name, its shape with the batch (None where open), its type."""

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str


@dataclass(frozen=True)
class Place:
    """Where an image input lies on the canvas: all image inputs stand side by side, tops aligned."""

    name: str
    row: int
    column: int
    height: int
    width: int
    channels: int


@dataclass(frozen=True)
class Description:
    """What is known of an opened file beside its graph.

    inputs, outputs: all that the file has, or that its signature has. output: the one that is explained.
    signature: the one that was opened, of all `signatures` of a SavedModel. held: inputs that are kept
    at a fixed value. places: where each image input lies; one place when there is one. batch: how many
    images the network takes at once, 0 for any number. activations: how often each kind occurs.
    preprocessing_inside: what the graph does to the pixels before its first layer, "" for nothing.
    training: operations left in training mode. custom_gradients: parts with gradient rules of their own,
    which are left out: maps show the derivative of the operations themselves.
    """

    format: str
    inputs: tuple[Port, ...] = ()
    outputs: tuple[Port, ...] = ()
    output: str = ""
    signature: str = ""
    held: Mapping[str, Any] = field(default_factory=dict)
    places: tuple[Place, ...] = ()
    batch: int = 0
    activations: Mapping[str, int] = field(default_factory=dict)
    preprocessing_inside: str = ""
    training: tuple[str, ...] = ()
    custom_gradients: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The description as plain JSON data."""
        return asdict(self)
