"""One step of a graph and what is known of the steps before it, while a graph is gone through in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saliency_core.arrays import Array
from saliency_core.engine import nodes
from saliency_core.engine.spans import Reach

Shapes = Mapping[str, tuple[int, ...]]  # of one image, with its batch axis of 1


@dataclass
class Walk:
    """What is known while the graph is gone through in order."""

    shapes: Shapes
    constants: Mapping[str, Array]
    known: dict[str, Reach]  # by node
    alike: set[str] = field(default_factory=set)  # nodes whose outputs all reach the same

    def reach(self, tensor: str) -> Reach | None:
        """Return what a tensor reaches, or None where it does not depend on the image."""
        name, _, port = tensor.partition(":")
        first = port in ("", "0") or name in self.alike
        return self.known.get(name) if first or name not in self.known else Reach()


class UnknownError(Exception):
    """A step that cannot be followed; its output is taken to see everything."""


@dataclass(frozen=True)
class Step:
    """One node with what is known of its inputs."""

    node: Any
    inputs: list[str]
    walk: Walk

    @property
    def data(self) -> list[int]:
        """Places of the inputs that depend on the image."""
        return [place for place, name in enumerate(self.inputs) if self.walk.reach(name) is not None]

    def reach(self, place: int) -> Reach:
        """Return the reach of an input that depends on the image."""
        return self.walk.reach(self.inputs[place]) or Reach()

    def only(self, place: int) -> Reach:
        """Return the reach of an input that must be the only one to depend on the image."""
        if self.data != [place]:
            raise UnknownError
        return self.reach(place)

    def shape(self, place: int) -> tuple[int, ...]:
        """Return the shape of an input."""
        name = self.inputs[place]
        if nodes.node_of(name) in self.walk.constants:
            return tuple(self.walk.constants[nodes.node_of(name)].shape)
        if name not in self.walk.shapes:
            raise UnknownError
        return self.walk.shapes[name]

    @property
    def out(self) -> tuple[int, ...]:
        """Shape of the first output."""
        found = self.walk.shapes.get(f"{self.node.name}:0")
        if found is None:
            raise UnknownError
        return found

    def constant(self, place: int) -> list[int]:
        """Return a constant input as whole numbers."""
        value = self.walk.constants.get(nodes.node_of(self.inputs[place]))
        if value is None:
            raise UnknownError
        return [int(number) for number in np.asarray(value).reshape(-1)]

    def ints(self, name: str) -> list[int]:
        """Return an attribute that is a list of whole numbers."""
        return [int(number) for number in nodes.attribute(self.node, name).list.i]

    def text(self, name: str) -> str:
        """Return an attribute that is a text."""
        return str(nodes.attribute(self.node, name).s.decode())

    def number(self, name: str) -> int:
        """Return an attribute that is a whole number or a yes or no."""
        value = nodes.attribute(self.node, name)
        return int(value.i or value.b)

    @property
    def plane(self) -> tuple[int, int]:
        """The two axes that a convolution or pool moves along."""
        return (2, 3) if self.text("data_format") == "NCHW" else (1, 2)
