"""Layer-wise relevance propagation: the score is handed back, step by step, until it lies on the pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from saliency_core.engine.runtime import tensorflow
from saliency_core.engine.shares import Numbers, by_kernel, carried_back
from saliency_core.errors import ModelError

RULES = ("composite", "epsilon", "gamma", "alpha_beta")
KERNELS = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
RECTIFIERS = ("Relu", "Relu6", "LeakyRelu")
LIMITS = {"Maximum": 1, "Minimum": 1, "ClipByValue": 2}  # and how many constants they need
SCALES = ("Mul", "RealDiv", "Neg")
SHIFTS = ("Add", "AddV2", "Sub", "BiasAdd")
SUMS = (*SHIFTS, "AddN", "AvgPool", "Mean", "Sum", "ResizeBilinear", "ResizeNearestNeighbor")
MOVES = (
    "Identity", "IdentityN", "Reshape", "Squeeze", "ExpandDims", "Cast", "Pad", "PadV2", "MirrorPad",
    "ConcatV2", "Pack", "Unpack", "Split", "SplitV", "Slice", "StridedSlice", "Transpose", "ReverseV2",
    "GatherV2", "MaxPool", "SpaceToBatchND", "BatchToSpaceND", "SpaceToDepth", "DepthToSpace", "Snapshot",
    "Max",
)  # fmt: skip


SPREAD = "+bias"


def known(rule: str) -> str:
    """Return the rule, or raise ModelError that lists what there is; "+bias" may follow it."""
    if rule.removesuffix(SPREAD) not in RULES:
        raise ModelError(f"There is no rule {rule[:60]!r} for LRP.", f"Choose one of: {', '.join(RULES)}.")
    return rule


def handed_back(
    asked: Sequence[Any], begun: Sequence[Any], pixels: Any, rule: str, numbers: Sequence[Any]
) -> Any:
    """Return the relevance of the pixels, when that of the asked tensors is `begun`.

    ReLUs and the preprocessing (each value for itself: scale, shift, order) pass relevance on as it is;
    max pooling gives it to the winner; sums, means and average pooling share it out in proportion; kernels by
    the rule, with `numbers` epsilon, gamma and alpha. Biases keep their share; "+bias" behind the rule
    spreads it, in layers shared out by gamma or alpha-beta. Raises ModelError that names the first step
    for which there is no rule.
    """
    epsilon, gamma, alpha = numbers
    settings = Numbers(epsilon, gamma, alpha, spread=known(rule).endswith(SPREAD))
    walk = _Walk(asked, pixels, rule.removesuffix(SPREAD), settings)
    for tensor, relevance in zip(asked, begun, strict=True):
        walk.give(tensor, relevance)
    return walk.to_the_pixels()


class _Walk:
    """The way from the asked tensors back to the pixels, over the operations of a graph."""

    def __init__(self, asked: Sequence[Any], pixels: Any, rule: str, numbers: Numbers) -> None:
        self.pixels, self.rule, self.numbers = pixels, rule, numbers
        self.order, self.depends, self.prelude = [], {pixels.ref()}, {pixels.ref()}
        self.readers: dict[Any, int] = {tensor.ref(): 1 for tensor in asked}
        for op in pixels.graph.get_operations():  # in order of computation
            inside = [one for one in op.inputs if one.ref() in self.depends]
            if not inside or pixels.ref() in {one.ref() for one in op.outputs}:
                continue
            self.order.append(op)
            outputs = {one.ref() for one in op.outputs}
            self.depends |= outputs
            alone = op.type in (*SHIFTS, *SCALES) and len(inside) == 1
            if (alone or op.type in MOVES) and all(one.ref() in self.prelude for one in inside):
                self.prelude |= outputs
            for one in op.inputs:
                self.readers[one.ref()] = self.readers.get(one.ref(), 0) + 1
        self.held: dict[Any, Any] = {}
        self.below: set[Any] = set()  # tensors whose relevance came through a kernel

    def give(self, tensor: Any, relevance: Any) -> None:
        """Add relevance to a tensor."""
        before = self.held.get(tensor.ref())
        self.held[tensor.ref()] = relevance if before is None else before + relevance

    def to_the_pixels(self) -> Any:
        """Hand everything back, the last operation first."""
        for op in reversed(self.order):
            if not any(one.ref() in self.held for one in op.outputs):
                continue
            under = any(one.ref() in self.below for one in op.outputs)
            for tensor, relevance in list(self._shared(op)):
                self.give(tensor, relevance)
                if under or op.type in KERNELS or self._kernel_of(op) is not None:
                    self.below.add(tensor.ref())
        if self.pixels.ref() not in self.held:
            raise ModelError("What is explained does not depend on the image.", "Choose another layer.")
        return self.held[self.pixels.ref()]

    def _shared(self, op: Any) -> Iterator[tuple[Any, Any]]:
        """Yield what each input of an operation gets of the relevance of its outputs."""
        inputs = [one for one in op.inputs if one.ref() in self.depends and one.dtype.is_floating]
        alone = inputs[0] if len(inputs) == 1 else None
        output = op.outputs[0]
        if op.type in MOVES:
            zeros = tensorflow().zeros_like
            given = [self.held.get(one.ref()) for one in op.outputs]
            whole = [
                zeros(one) if there is None else there for one, there in zip(op.outputs, given, strict=True)
            ]
            yield from self._carried(op, whole)
        elif op.type in KERNELS and alone is op.inputs[0]:
            yield alone, self._by_rule(op, None, output)
        elif (kernel := self._kernel_of(op)) is not None:
            bias = next(one for one in op.inputs if one.ref() not in self.depends)
            yield kernel.inputs[0], self._by_rule(kernel, -bias if op.type == "Sub" else bias, output)
        elif alone is not None and self._passes(op, alone):
            yield alone, self.held[output.ref()]
        elif inputs and op.type in SUMS:
            part = tensorflow().math.divide_no_nan(self.held[output.ref()], output)
            for tensor, factor in self._carried(op, [part]):
                yield tensor, tensor * factor
        else:
            raise _no_rule(op)

    def _passes(self, op: Any, alone: Any) -> bool:
        """Tell whether each value of the output comes from one value of the input, scaled, cut or moved."""
        if op.type in RECTIFIERS:
            return True
        if alone.shape[1:].as_list() != op.outputs[0].shape[1:].as_list():
            return False
        if op.type in SCALES:
            return alone is op.inputs[0] or op.type == "Mul"
        if op.type in LIMITS:
            limits = [tensorflow().get_static_value(one) for one in op.inputs if one is not alone]
            if len(limits) != LIMITS[op.type] or any(limit is None for limit in limits):
                return False
            return bool((limits[0] >= 0).all()) if op.type == "Minimum" else not limits[0].any()
        return op.type in SHIFTS and op.outputs[0].ref() in self.prelude

    def _kernel_of(self, op: Any) -> Any:
        """Return the convolution or dense layer to which a step adds the bias; None where there is none."""
        if op.type not in SHIFTS or op.outputs[0].ref() in self.prelude:
            return None
        inside = [one for one in op.inputs if one.ref() in self.depends]
        if len(inside) != 1 or (op.type == "Sub" and inside[0] is not op.inputs[0]):
            return None
        kernel = inside[0].op
        plain = kernel.type in KERNELS and kernel.inputs[1].ref() not in self.depends
        return kernel if plain and self.readers[inside[0].ref()] == 1 else None

    def _by_rule(self, kernel: Any, bias: Any, output: Any) -> Any:
        """Share the relevance of an output through a kernel: gamma in the convolutions of a composite."""
        shape = kernel.outputs[0].shape
        dense = kernel.type == "MatMul" or all(extent == 1 for extent in shape[1:3])
        rule = self.rule
        if rule == "composite":
            top = output.ref() not in self.below
            rule = "gamma" if not dense else "zero" if top else "epsilon"
        return by_kernel(kernel, bias, output, self.held[output.ref()], rule, self.numbers)

    def _carried(self, op: Any, gradients: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
        """Carry numbers at the outputs of an operation to the inputs that depend on the pixels."""
        for tensor, found in zip(op.inputs, carried_back(op, gradients), strict=True):
            if found is not None and tensor.ref() in self.depends:
                yield tensor, tensorflow().convert_to_tensor(found)


def _no_rule(op: Any) -> ModelError:
    if op.type in ("Softmax", "Sigmoid", "LogSoftmax"):
        hint = "Explain the logit instead of the probability."
    else:
        hint = "LRP goes through convolutions, dense layers, pooling, sums and ReLUs: choose another method."
    gate = " of two tensors that both depend on the image" if op.type in ("Mul", "MatMul") else ""
    return ModelError(f"LRP has no rule for {op.type}{gate} ({op.name[:120]}).", hint)
