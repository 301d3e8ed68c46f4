"""The rules of layer-wise relevance propagation for one convolution or dense layer."""

from __future__ import annotations

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
        found, kept = kernel.seen * kernel.back(kernel.weight, share), share * bias
    return found + kernel.evenly(kept) if numbers.spread else found


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


class _Kernel:
    """A convolution or dense layer as often as needed, with other numbers in it."""

    def __init__(self, op: Any) -> None:
        self.op = op
        self.seen, self.weight = op.inputs

    @cached_property
    def _split(self) -> tuple[Any, Any, Any, Any]:
        """Positive and negative part of the input, and of the kernel."""
        tf = tensorflow()
        both = [(tf.nn.relu(one), -tf.nn.relu(-one)) for one in (self.seen, self.weight)]
        return (*both[0], *both[1])

    def parts(self, bias: Any) -> tuple[Any, Any]:
        """Return the sums of all positive and of all negative parts of each output, the bias among them."""
        seen_up, seen_down, weight_up, weight_down = self._split
        positive = self._forth(seen_up, weight_up) + self._forth(seen_down, weight_down)
        negative = self._forth(seen_up, weight_down) + self._forth(seen_down, weight_up)
        tf = tensorflow()
        return positive + tf.nn.relu(bias), negative - tf.nn.relu(-bias)

    def back_positive(self, share: Any) -> Any:
        """Return the sum over outputs of share times the positive parts, for each input."""
        seen_up, seen_down, weight_up, weight_down = self._split
        return seen_up * self.back(weight_up, share) + seen_down * self.back(weight_down, share)

    def back_negative(self, share: Any) -> Any:
        """Return the sum over outputs of share times the negative parts, for each input."""
        seen_up, seen_down, weight_up, weight_down = self._split
        return seen_up * self.back(weight_down, share) + seen_down * self.back(weight_up, share)

    def evenly(self, given: Any) -> Any:
        """Give what is at each output to all inputs that it sees, in equal parts, and none to added zeros.

        An output that sees nothing else keeps it.
        """
        tf = tensorflow()
        around = self.seen.op
        there = tf.ones_like(self.seen)
        if around.type == "Pad":
            there = tf.pad(tf.ones_like(around.inputs[0]), around.inputs[1])
        ones = tf.ones_like(self.weight)
        share = tf.math.divide_no_nan(given, self._forth(there, ones))
        return there * self.back(ones, share)

    def back(self, weight: Any, share: Any) -> Any:
        """Carry numbers at the output to the input through a kernel."""
        return tensorflow().gradients(
            self._forth(self.seen, weight), self.seen, share, stop_gradients=[weight]
        )[0]

    def _forth(self, seen: Any, weight: Any) -> Any:
        kind = self.op.type
        one, other = NAMES.get(kind, ("input", "filter"))
        attributes = {name: self.op.get_attr(name) for name in ATTRIBUTES[kind]}
        return getattr(tensorflow().raw_ops, kind)(**{one: seen, other: weight}, **attributes)
