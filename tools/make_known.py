"""Write `conv4x4` and `template`, the models known on paper: `python tools/make_known.py`."""

from __future__ import annotations

import numpy as np
from training import keras, measured, ship

from saliency_core.models.known import (
    CONV_SIDE,
    TEMPLATE_LABELS,
    TEMPLATE_SIDE,
    template_picture,
    template_weights,
)
from saliency_core.models.preprocessing import Raw


def conv4x4() -> keras.Model:
    """One 3 x 3 filter of ones over a 4 x 4 image, SAME padding, no bias."""
    image = keras.Input((CONV_SIDE, CONV_SIDE, 1), name="image")
    filtered = keras.layers.Conv2D(
        1, 3, padding="same", use_bias=False, kernel_initializer="ones", name="conv"
    )(image)
    return keras.Model(image, filtered, name="conv4x4")


def template() -> keras.Model:
    """Three templates laid over a 32 x 32 image: one dense layer without bias, then softmax."""
    image = keras.Input((TEMPLATE_SIDE, TEMPLATE_SIDE, 3), name="image")
    x = keras.layers.Flatten(name="flatten")(image)
    dense = keras.layers.Dense(len(TEMPLATE_LABELS), use_bias=False, name="logits")
    x = keras.layers.Softmax(name="probabilities")(dense(x))
    dense.set_weights([template_weights().reshape(len(TEMPLATE_LABELS), -1).T])
    return keras.Model(image, x, name="template")


def main() -> None:
    trained = {"script": "tools/make_known.py", "seed": None, "data": "none: the weights are set by hand"}
    ship(
        "conv4x4",
        conv4x4(),
        Raw(),
        title="One filter of ones",
        about="A single 3 x 3 filter of ones over a 4 x 4 image. Its gradients can be worked out on paper.",
        labels=[],
        measurements=[],
        trained={**trained, "epochs": 0},
    )
    model = template()
    pictures = np.stack([template_picture(label) for label in range(len(TEMPLATE_LABELS))])
    right = float((np.argmax(model(pictures.astype(np.float32)), axis=1) == range(len(pictures))).mean())
    ship(
        "template",
        model,
        Raw(),
        title="Three templates",
        about="A linear model: each class is a template laid over the image, which is its gradient.",
        labels=TEMPLATE_LABELS,
        measurements=[measured("its own three pictures", right, len(pictures))],
        trained={**trained, "epochs": 0},
    )


if __name__ == "__main__":
    main()
