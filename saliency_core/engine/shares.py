"""The rules of layer-wise relevance propagation for one convolution or dense layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from saliency_core.engine.runtime import tensorflow

ATTRIBUTES = {
    "Conv2D": ("strides", "padding", "explicit_paddings", "dilations", "data_format"),
    "DepthwiseConv2dNative": ("strides", "padding", "explicit_paddings", "dilations", "data_format"),
    "MatMul": ("transpose_a", "transpose_b"),
}
NAMES = {"MatMul": ("a", "b")}
NEVER_NEGATIVE = ("Relu", "Relu6")


@dataclass(frozen=True)
class Numbers:
    """The settings of the rules, as tensors; beta is alpha - 1. `spread`: biases do not keep their share."""

    epsilon: Any
    gamma: Any
    alpha: Any
    spread: bool = False


def by_kernel(op: Any, bias: Any, output: Any, relevance: Any, rule: str, numbers: Numbers) -> Any:
    """Return the relevance of what a kernel takes, given that of its output (with its bias).

    With z_jk the part of input j in output k, b_k the bias and z_k their sum: "zero" shares R_k by
    z_jk / z_k; "epsilon" adds epsilon * rms(z) to z_k, away from zero, rms over the layer for each image;
    "gamma" shares by z_jk + gamma * z_jk of the sign of z_k; "alpha_beta" shares alpha * R_k among the
    positive parts and -(alpha - 1) * R_k among the negative ones. The bias is one more part.
    """
    tf = tensorflow()
    kernel = _Kernel(op)
    bias = tf.zeros_like(output) if bias is None else tf.zeros_like(output) + bias
    if rule == "alpha_beta":
        found, kept = _alpha_beta(kernel, bias, relevance, numbers)
    elif rule == "gamma":
        found, kept = _gamma(kernel, bias, output, relevance, numbers)
    else:
        epsilon = tf.cast(numbers.epsilon if rule == "epsilon" else 0.0, output.dtype)
        axes = list(range(1, len(output.shape)))
        size = tf.sqrt(tf.reduce_mean(tf.square(output), axes, keepdims=True))
        share = tf.math.divide_no_nan(relevance, output + epsilon * size * tf.sign(output))
        return kernel.seen * kernel.back(kernel.weight, share)
    return found + kernel.by_size(kept) if numbers.spread else found


def _gamma(kernel: _Kernel, bias: Any, output: Any, relevance: Any, numbers: Numbers) -> tuple[Any, Any]:
    """Return what the inputs get and what the bias keeps."""
    tf = tensorflow()
    gamma = tf.cast(numbers.gamma, output.dtype)
    positive, negative = kernel.parts(bias)
    above = output > 0
    share = tf.math.divide_no_nan(relevance, output + gamma * tf.where(above, positive, negative))
    none = tf.zeros_like(share)
    up, down = tf.where(above, share, none), tf.where(above, none, share)
    more = kernel.back_positive(up) + kernel.back_negative(down)
    kept = share * bias + gamma * (up * tf.nn.relu(bias) - down * tf.nn.relu(-bias))
    return kernel.seen * kernel.back(kernel.weight, share) + gamma * more, kept


def _alpha_beta(kernel: _Kernel, bias: Any, relevance: Any, numbers: Numbers) -> tuple[Any, Any]:
    """Return what the inputs get and what the bias keeps."""
    tf = tensorflow()
    alpha = tf.cast(numbers.alpha, relevance.dtype)
    positive, negative = kernel.parts(bias)
    up = alpha * tf.math.divide_no_nan(relevance, positive)
    down = (alpha - 1) * tf.math.divide_no_nan(relevance, negative)
    kept = up * tf.nn.relu(bias) + down * tf.nn.relu(-bias)
    return kernel.back_positive(up) - kernel.back_negative(down), kept


def carried_back(op: Any, gradients: Sequence[Any]) -> Sequence[Any]:
    """Carry numbers at the outputs of one operation to its inputs by its derivative; None where it has none.

    tf.gradients would look through the whole graph each time.
    """
    from tensorflow.python.framework.ops import get_gradient_function

    found = get_gradient_function(op)(op, *gradients)
    return found if isinstance(found, list | tuple) else [found]


class _Kernel:
    """A convolution or dense layer as often as needed, with other numbers in it."""

    def __init__(self, op: Any) -> None:
        self.op = op
        self.seen, self.weight = op.inputs

    @cached_property
    def _pairs(self) -> tuple[list[tuple[Any, Any]], list[tuple[Any, Any]]]:
        """What gives positive parts and what gives negative ones: a part of the input, and of the kernel."""
        tf = tensorflow()
        up, down = tf.nn.relu(self.weight), -tf.nn.relu(-self.weight)
        if self.seen.op.type in NEVER_NEGATIVE:
            return [(self.seen, up)], [(self.seen, down)]
        above, below = tf.nn.relu(self.seen), -tf.nn.relu(-self.seen)
        return [(above, up), (below, down)], [(above, down), (below, up)]

    @cached_property
    def _sums(self) -> list[Any]:
        """The sums of all positive and of all negative parts of each output."""
        return [sum(self._forth(seen, weight) for seen, weight in pairs) for pairs in self._pairs]

    def parts(self, bias: Any) -> tuple[Any, Any]:
        """Return the sums of all positive and of all negative parts of each output, the bias among them."""
        tf = tensorflow()
        return self._sums[0] + tf.nn.relu(bias), self._sums[1] - tf.nn.relu(-bias)

    def back_positive(self, share: Any) -> Any:
        """Return the sum over outputs of share times the positive parts, for each input."""
        return sum(seen * self.back(weight, share) for seen, weight in self._pairs[0])

    def back_negative(self, share: Any) -> Any:
        """Return the sum over outputs of share times the negative parts, for each input."""
        return sum(seen * self.back(weight, share) for seen, weight in self._pairs[1])

    def by_size(self, kept: Any) -> Any:
        """Give what the bias keeps to all inputs, each by the size of its part: one that is 0 gets none.

        An output that sees nothing but zeros keeps it.
        """
        positive, negative = self._sums
        share = tensorflow().math.divide_no_nan(kept, positive - negative)
        return self.back_positive(share) - self.back_negative(share)

    def back(self, weight: Any, share: Any) -> Any:
        """Carry numbers at the output to the input through a kernel."""
        tf = tensorflow()
        if self.op.type != "MatMul":
            carry = getattr(tf.raw_ops, f"{self.op.type}BackpropInput")
            sizes = tf.shape(self.seen)
            return carry(input_sizes=sizes, filter=weight, out_backprop=share, **self._attributes)
        if self._attributes["transpose_a"]:
            return tf.matmul(weight, share, self._attributes["transpose_b"], transpose_b=True)
        return tf.matmul(share, weight, transpose_b=not self._attributes["transpose_b"])

    @cached_property
    def _attributes(self) -> dict[str, Any]:
        return {name: self.op.get_attr(name) for name in ATTRIBUTES[self.op.type]}

    def _forth(self, seen: Any, weight: Any) -> Any:
        one, other = NAMES.get(self.op.type, ("input", "filter"))
        return getattr(tensorflow().raw_ops, self.op.type)(**{one: seen, other: weight}, **self._attributes)
