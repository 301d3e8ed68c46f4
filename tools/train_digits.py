"""Train `digits`, the reader of handwritten digits: `python tools/train_digits.py [--quick]`."""

from __future__ import annotations

import argparse
import time

import numpy as np
from training import ROOT, accuracy, fit, keras, measured, ship

from saliency_core.models.preprocessing import Unit
from tools.digits import HELD_OUT, SIDE, SOURCE, SPLIT_SEED, augmented, picture, split

SEED = 7
IMAGES, EPOCHS = 50_000, 10
QUICK_IMAGES, QUICK_EPOCHS = 8_000, 2


def build() -> keras.Model:
    """Three convolutions with average pooling, one hidden dense layer, logits and softmax.

    No max pooling: the flat paper around a digit ties there, and at a tie there is no derivative.
    """
    layers = keras.layers
    pixels = keras.Input((SIDE, SIDE, 1), name="image")
    x = pixels
    for number, channels in enumerate((16, 32, 64), start=1):
        x = layers.Conv2D(channels, 3, padding="same", name=f"conv{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
        x = layers.AveragePooling2D(2, padding="same", name=f"pool{number}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    x = layers.Dense(96, activation="relu", name="dense")(x)
    x = layers.Dense(10, name="logits")(x)
    return keras.Model(pixels, layers.Softmax(name="probabilities")(x), name="digits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run that only proves the script works")
    quick = parser.parse_args().quick
    count, epochs = (QUICK_IMAGES, QUICK_EPOCHS) if quick else (IMAGES, EPOCHS)
    keras.utils.set_random_seed(SEED)
    started = time.perf_counter()
    images, labels = augmented(SEED, count)
    print(f"{count} images in {time.perf_counter() - started:.0f} s")
    model = build()
    fit(model, images, labels, epochs=epochs, peak=2e-3)
    data = split()
    white = np.stack([picture(digit) for digit in data.held_out])[..., None]
    results = [
        measured("held-out digits, white on black", accuracy(model, white, data.held_out_labels), HELD_OUT),
        measured(
            "held-out digits, black on white", accuracy(model, 255 - white, data.held_out_labels), HELD_OUT
        ),
    ]
    print(f"{time.perf_counter() - started:.0f} s in all: {results}")
    (ROOT / "out").mkdir(exist_ok=True)
    model.save(ROOT / "out" / "digits.keras")
    if quick:
        return
    ship(
        "digits",
        model,
        Unit(),
        title="Handwritten digits",
        about="Reads one handwritten digit, light on dark or dark on light.",
        labels=[str(digit) for digit in range(10)],
        measurements=results,
        trained={
            "script": "tools/train_digits.py",
            "seed": SEED,
            "data": f"{SOURCE}; {HELD_OUT} held out (split seed {SPLIT_SEED}), "
            f"{count:,} varied pictures of the rest, every fifth drawn by tools/strokes.py",
            "epochs": epochs,
        },
    )


if __name__ == "__main__":
    main()
