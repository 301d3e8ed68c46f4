"""Inputs and outputs of a Keras model: which inputs are images, which are held, which output is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saliency_core.engine.canvas import Slot, slot_for
from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError
from saliency_core.models.description import Description, Port


@dataclass
class Ports:
    """The inputs of one Keras model, sorted; the outputs are known once it has been called."""

    model: Any
    inputs: tuple[Port, ...]
    slots: list[Slot]
    held: dict[str, Any]
    batch: int = 0
    output: str = ""
    outputs: tuple[Port, ...] = ()
    _fixed: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any, size: Sequence[int] | None, others: Mapping[str, Any]) -> Ports:
        """Sort the inputs of a model. Raises ModelError when none is an image."""
        wanted = list(getattr(model, "inputs", None) or [])
        if not wanted:
            shape = _shape_without_inputs(model, size)
            return cls(
                model,
                (Port("image", (None, *shape), "float32"),),
                [Slot("image", shape, "last", "float32")],
                {},
            )
        ports = tuple(Port(str(one.name), tuple(one.shape), str(one.dtype)) for one in wanted)
        unknown = sorted(set(others) - {port.name for port in ports})
        if unknown:
            raise ModelError(
                f"The model has no input {unknown[0]!r}.", f"Its inputs: {', '.join(p.name for p in ports)}."
            )
        images = _images([port for port in ports if port.name not in others], size)
        if not images:
            shapes = ", ".join(str(port.shape) for port in ports)
            raise ModelError(
                f"The model takes arrays of shape {shapes}; an image (height, width, channels) is needed.",
                "For a flat input, say which image it is: size=(height, width, channels).",
            )
        held = {p.name: others.get(p.name, 0) for p in ports if all(s.name != p.name for s in images)}
        batches = {int(port.shape[0]) for port in ports if port.shape and port.shape[0]}
        if len(batches) > 1:
            raise ModelError(f"The inputs are made for different batches: {sorted(batches)}.")
        return cls(model, ports, images, held, batches.pop() if batches else 0)

    def fixed(self, tf: Any, pixels: Any) -> dict[str, Any]:
        """Return the held inputs as tensors of as many rows as the pixels."""
        rows = self.batch or tf.shape(pixels)[0]
        return {
            port.name: held_tensor(tf, port, self.held[port.name], rows)
            for port in self.inputs
            if port.name in self.held
        }

    def call(self, ready: Mapping[str, Any]) -> Any:
        """Call the model on its inputs, as it is structured."""
        values = [ready[port.name] for port in self.inputs]
        structure = getattr(self.model, "_inputs_struct", None)
        if len(values) == 1 and not isinstance(structure, dict):
            return self.model(values[0], training=False)
        if structure is None:
            return self.model(values, training=False)
        return self.model(tensorflow().nest.pack_sequence_as(structure, values), training=False)

    def answers(self, answered: Any) -> tuple[list[Any], list[str]]:
        """Return the outputs in order, with their names."""
        flat = tensorflow().nest.flatten(answered)
        if isinstance(answered, dict):
            return flat, [str(key) for key in sorted(answered)]
        names = [str(name) for name in getattr(self.model, "output_names", None) or []]
        unique = len(names) == len(flat) and len(set(names)) == len(names)
        return flat, names if unique else [f"output_{k}" if k else "output" for k in range(len(flat))]

    def number_of(
        self, output: int | str, names: Sequence[str], shapes: Sequence[Sequence[int | None]] = ()
    ) -> int:
        """Return which output is meant, by number or name; by default the first that could hold classes."""
        if output in ("", None):
            classes = [k for k, shape in enumerate(shapes) if len(shape) == 2 and (shape[1] or 0) > 1]
            return classes[0] if classes else 0
        if isinstance(output, str) and output in names:
            return list(names).index(output)
        if str(output).isdigit() and int(output) < len(names):
            return int(output)
        raise ModelError(
            f"The model has no output {output!r}.",
            f"It has outputs 0 to {len(names) - 1}: {', '.join(names)}.",
        )

    def described(self, answers: Sequence[Any], names: Sequence[str]) -> tuple[Port, ...]:
        """Return the outputs as plain data."""
        return tuple(
            Port(n, tuple(a.shape) if a.shape.rank is not None else None, a.dtype.name)
            for n, a in zip(names, answers, strict=True)
        )

    def description(self, slots: Sequence[Slot], own_gradients: tuple[str, ...]) -> Description:
        """Return what is known so far."""
        return Description(
            format=f"Keras model ({type(self.model).__name__})",
            inputs=self.inputs,
            outputs=self.outputs,
            output=self.output,
            held=self.held,
            places=tuple(slot.place for slot in slots),
            batch=self.batch,
            custom_gradients=own_gradients,
        )


def held_tensor(tf: Any, port: Port, value: Any, rows: Any) -> Any:
    """Return a fixed value as a tensor of an input's shape. Raises ModelError when it does not fit."""
    dims = [1 if extent is None else extent for extent in (port.shape or ())[1:]]
    try:
        one = np.broadcast_to(np.asarray(value), dims) if np.ndim(value) <= len(dims) else np.asarray(value)
        constant = tf.constant(np.asarray(one).astype(tf.as_dtype(port.dtype).as_numpy_dtype))
    except (ValueError, TypeError) as problem:
        raise ModelError(
            f"The value for the input {port.name!r} does not fit its shape {port.shape}.",
            "Give one number, or an array of that shape without the batch.",
        ) from problem
    return tf.tile(constant[None], [rows, *[1] * constant.shape.rank])


def _images(ports: Sequence[Port], size: Sequence[int] | None) -> list[Slot]:
    """Return the inputs that are images: those of three dimensions, else of two, else the only flat one."""
    for rank in (4, 3, 2):
        alike = [port for port in ports if port.shape is not None and len(port.shape) == rank]
        if rank == 2 and len(alike) > 1:
            return []
        found = [slot_for(p.name, (p.shape or ())[1:], p.dtype, size) for p in alike]
        images = [slot for slot in found if slot is not None]
        if images:
            return images
    return []


def _shape_without_inputs(model: Any, size: Sequence[int] | None) -> tuple[int, int, int]:
    """Return (H, W, C) of a subclassed model: as given, or as it was built for or first called on."""
    built = getattr(model, "_build_shapes_dict", None) or {}
    known: tuple[Any, ...] = tuple(built.get("input_shape") or ())
    if any(isinstance(extent, list | tuple) for extent in known):  # several inputs
        known = ()
    shape: tuple[Any, ...] = tuple(size or known[1:])
    if len(shape) == 2 and len(known) == 4:
        shape = (*shape, known[3])
    if len(shape) != 3 or None in shape:
        raise ModelError(
            "The model does not say what size of image it takes.",
            "Call it once on an image, or give size=(height, width, channels).",
        )
    return int(shape[0]), int(shape[1]), int(shape[2])
