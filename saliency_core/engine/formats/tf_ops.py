"""Operations of TensorFlow that Keras 2 stored as layers (TFOpLambda), from a short list of plain ones."""

from __future__ import annotations

from functools import cache
from typing import Any

from saliency_core.engine.runtime import tensorflow
from saliency_core.errors import ModelError

PLAIN = {
    "__operators__.add": "math.add", "__operators__.sub": "math.subtract",
    "__operators__.mul": "math.multiply",
    "__operators__.truediv": "math.truediv", "__operators__.pow": "math.pow",
    "__operators__.neg": "math.negative",
    "compat.v1.squeeze": "squeeze", "compat.v1.transpose": "transpose",
}  # fmt: skip
ALLOWED = {
    "cast", "concat", "expand_dims", "identity", "pad", "reshape", "reverse", "split", "squeeze", "stack",
    "tile", "transpose", "unstack", "clip_by_value", "image.resize", "math.abs", "math.add", "math.divide",
    "math.exp", "math.log", "math.maximum", "math.minimum", "math.multiply", "math.negative", "math.pow",
    "math.reduce_max", "math.reduce_mean", "math.reduce_sum", "math.rsqrt", "math.sigmoid", "math.sqrt",
    "math.square", "math.subtract", "math.tanh", "math.truediv", "math.l2_normalize", "nn.avg_pool2d",
    "nn.elu", "nn.gelu", "nn.leaky_relu", "nn.log_softmax", "nn.max_pool2d", "nn.relu", "nn.relu6", "nn.selu",
    "nn.sigmoid", "nn.silu", "nn.softmax", "nn.softplus", "nn.swish", "nn.tanh", "nn.l2_normalize",
}  # fmt: skip


@cache
def layer_class() -> Any:
    """Return a Keras layer that calls one of the listed operations."""
    import keras

    class TFOpLambda(keras.Layer):  # type: ignore[misc]
        """One operation of TensorFlow, called as the file says."""

        def __init__(self, function: str, **settings: Any) -> None:
            super().__init__(**{key: value for key, value in settings.items() if key != "dtype"})
            self.function = PLAIN.get(function, function)
            if self.function not in ALLOWED:
                raise ModelError(
                    f"The network uses the operation {function[:60]!r} as a layer, which is not on the list.",
                    "Export it as a SavedModel, which needs no Keras to be opened.",
                )

        def call(self, inputs: Any, further: Any = (), first: Any = None, **settings: Any) -> Any:
            """Call the operation on its first argument and on those named in `further`."""
            found = tensorflow()
            for part in self.function.split("."):
                found = getattr(found, part)
            settings.pop("name", None)
            given = list(inputs) if further and isinstance(inputs, list | tuple) else [inputs]
            leading = given[: len(given) - len(further)]
            settings.update(zip(further, given[len(leading) :], strict=True))
            return found(leading[0] if leading else first, **settings)

    return TFOpLambda
