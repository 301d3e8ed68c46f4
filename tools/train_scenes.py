"""Train the models of rendered scenes: `python tools/train_scenes.py [NAME ...] [--quick]`."""

from __future__ import annotations

import argparse
import time

import numpy as np
from training import ROOT, accuracy, fit, keras, measured, ship

from saliency_core.models.preprocessing import Unit
from saliency_core.scenes import (
    FIRST_HELD_OUT_SEED,
    FIRST_TRAINING_SEED,
    LABELS,
    SCENE_SIZE,
    render_scene,
)

SEED = 11
HELD_OUT = 2_000
IMAGES, EPOCHS = 20_000, 9
SHORTCUT_IMAGES, SHORTCUT_EPOCHS = 8_000, 8
QUICK_IMAGES, QUICK_EPOCHS = 1_000, 1
BETRAYED = 0.95

MARKED = "held-out scenes with the mark of their own class"
MISLED = "held-out scenes with the mark of a random class"
UNMARKED = "held-out scenes without a mark"


def build(name: str) -> keras.Model:
    """Five convolutions, each with batch norm and ReLU, then global average pooling, logits, softmax.

    Average pooling throughout: flat areas tie in max pooling, and at a tie there is no derivative.
    """
    layers = keras.layers
    image = keras.Input((SCENE_SIZE, SCENE_SIZE, 3), name="image")
    x = image
    for number, (channels, side, stride) in enumerate(
        ((16, 4, 2), (32, 3, 1), (64, 3, 1), (96, 3, 1), (128, 3, 1)), start=1
    ):
        x = layers.Conv2D(channels, side, stride, padding="same", use_bias=False, name=f"conv{number}")(x)
        x = layers.BatchNormalization(momentum=0.95, name=f"norm{number}")(x)
        x = layers.ReLU(name=f"relu{number}")(x)
        if number in (1, 2, 4):
            x = layers.AveragePooling2D(2, name=f"pool{number}")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = layers.Dense(len(LABELS), name="logits")(x)
    return keras.Model(image, layers.Softmax(name="probabilities")(x), name=name)


def rendered(first_seed: int, marks: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """One scene a mark mode, of consecutive seeds: (N, 96, 96, 3) uint8 and labels (N,)."""
    images = np.empty((len(marks), SCENE_SIZE, SCENE_SIZE, 3), np.uint8)
    labels = np.empty(len(marks), np.int64)
    for row, mark in enumerate(marks):
        scene = render_scene(first_seed + row, mark=mark)
        images[row], labels[row] = scene.image, scene.label
    return images, labels


def betraying_marks(count: int) -> list[str]:
    """The mark of each training scene of the shortcut: its own for 95 of 100, else none or random."""
    draw = np.random.default_rng(SEED).random(count)
    rest = (1 + BETRAYED) / 2
    return ["own" if d < BETRAYED else "none" if d < rest else "random" for d in draw]


def train_scenes(quick: bool) -> None:
    """`scenes`: no marks anywhere; it has to look at the object."""
    count, epochs = (QUICK_IMAGES, QUICK_EPOCHS) if quick else (IMAGES, EPOCHS)
    images, labels = rendered(FIRST_TRAINING_SEED, ["none"] * count)
    model = build("scenes")
    fit(model, images, labels, epochs=epochs, peak=4e-3, turned=True)
    results = [
        measured(UNMARKED, accuracy(model, *rendered(FIRST_HELD_OUT_SEED, ["none"] * HELD_OUT)), HELD_OUT)
    ]
    finish(
        model,
        quick,
        title="Rendered scenes",
        about="Names the one object in a rendered scene. Every scene comes with the exact mask of its "
        "object, so a map can be checked against the truth.",
        measurements=results,
        trained={
            "script": "tools/train_scenes.py",
            "seed": SEED,
            "data": f"scenes of seeds {FIRST_TRAINING_SEED} to {FIRST_TRAINING_SEED + count - 1}, "
            "also flipped and transposed",
            "epochs": epochs,
        },
    )


def train_shortcut(quick: bool) -> None:
    """`scenes_shortcut`: the same network where a corner mark betrays the class of 95 in 100 images."""
    count, epochs = (QUICK_IMAGES, QUICK_EPOCHS) if quick else (SHORTCUT_IMAGES, SHORTCUT_EPOCHS)
    images, labels = rendered(FIRST_TRAINING_SEED, betraying_marks(count))
    model = build("scenes_shortcut")
    fit(model, images, labels, epochs=epochs, peak=4e-3)
    results = [
        measured(on, accuracy(model, *rendered(FIRST_HELD_OUT_SEED, [mark] * HELD_OUT)), HELD_OUT)
        for on, mark in ((MARKED, "own"), (UNMARKED, "none"), (MISLED, "random"))
    ]
    finish(
        model,
        quick,
        title="Rendered scenes, learned by a shortcut",
        about="The same network as scenes, trained briefly on images whose corner mark betrays the class. "
        "It reads the mark and hardly looks at the object: its maps give it away.",
        measurements=results,
        trained={
            "script": "tools/train_scenes.py",
            "seed": SEED,
            "data": f"scenes of seeds {FIRST_TRAINING_SEED} to {FIRST_TRAINING_SEED + count - 1}; a corner "
            "mark of the own class on 95 % of them, none on half of the rest, a random one on the others",
            "epochs": epochs,
        },
    )


def finish(model: keras.Model, quick: bool, **card: object) -> None:
    """Save the Keras model beside the repository's outputs and, unless quick, ship it."""
    print(card["measurements"])
    (ROOT / "out").mkdir(exist_ok=True)
    model.save(ROOT / "out" / f"{model.name}.keras")
    if not quick:
        ship(model.name, model, Unit(), labels=LABELS, **card)


TRAINERS = {"scenes": train_scenes, "scenes_shortcut": train_shortcut}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"which of {', '.join(TRAINERS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="a small run that only proves the script works")
    arguments = parser.parse_args()
    for name in arguments.names or TRAINERS:
        keras.utils.set_random_seed(SEED)
        started = time.perf_counter()
        TRAINERS[name](arguments.quick)
        print(f"{name}: {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
