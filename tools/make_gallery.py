"""Write the gallery: images, assets/gallery.json and assets/LICENCES.md: `python tools/make_gallery.py`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from matplotlib import cbook  # noqa: E402
from PIL import Image  # noqa: E402
from skimage import data  # noqa: E402

from saliency_core.models.known import CONV_SIDE, TEMPLATE_LABELS, template_picture  # noqa: E402
from saliency_core.scenes import FIRST_HELD_OUT_SEED, LABELS, render_scene  # noqa: E402
from tools.digits import SOURCE, picture, split  # noqa: E402

ASSETS = ROOT / "assets"
LONGEST_SIDE = 640
LARGEST_TOTAL = 2_000_000
Row = dict[str, Any]

CC0 = "CC0 1.0"
PUBLIC = "Public domain"
OWN = "Same licence as the project"
SKIMAGE = "scikit-image, skimage.data.{}()"
PHOTOGRAPHS: tuple[tuple[str, str, str, str, str | None, str], ...] = (
    ("coffee", "Cup of coffee", CC0, "Rachel Michetti, courtesy of Pikolo Espresso Bar", "espresso", ""),
    ("chelsea", "Chelsea the cat", CC0, "Stefan van der Walt", None, "ImageNet has several kinds of cat."),
    (
        "astronaut",
        "Astronaut Eileen Collins",
        f"{PUBLIC}, no known copyright restrictions",
        "NASA Great Images database, https://flic.kr/p/r9qvLn",
        None,
        "No ImageNet class fits the person; see what the networks take instead.",
    ),
    (
        "rocket",
        "Launch of a Falcon 9",
        PUBLIC,
        "SpaceX, https://www.flickr.com/photos/spacexphotos/16511594820",
        None,
        "The nearest ImageNet classes are missile and projectile.",
    ),
    ("camera", "Cameraman", CC0, "Lav Varshney", None, "A gray photograph; tripod is an ImageNet class."),
)
SCENES = {  # a held-out seed for each class, chosen by eye; the last digit is the label
    "star": 24,
    "heart": 26,
    "disc": 10,
    "ring": 51,
    "square": 32,
    "triangle": 13,
    "cross": 45,
    "crescent": 27,
    "arrow": 28,
    "bolt": 19,
}
SHORTCUTS = {"star": 54, "arrow": 58, "heart": 36}
CLEAR = {"1": 5, "8": 5, "9": 2}
"""Which held-out digit of a class is shown, where the first is hard to read even for people."""
INKED = {"2": 3, "5": 3, "7": 5}


def add(rows: list[Row], id: str, image: Image.Image | bytes, suffix: str, **facts: Any) -> None:
    """Write one image and append its line of the manifest."""
    file = f"gallery/{id}.{suffix}"
    if isinstance(image, Image.Image):
        buffer = io.BytesIO()
        options = {"quality": 92} if suffix == "jpg" else {"optimize": True}
        image.save(buffer, "JPEG" if suffix == "jpg" else "PNG", **options)
        image = buffer.getvalue()
    (ASSETS / file).write_bytes(image)
    rows.append({"id": id, "file": file, "label": None, "note": "", "seed": None, "mark": None, **facts})


def add_photographs(rows: list[Row]) -> None:
    """Photographs of scikit-image, at most 640 pixels long, and Grace Hopper as Matplotlib ships her."""
    for id, title, licence, credit, label, note in PHOTOGRAPHS:
        photograph = Image.fromarray(getattr(data, id)())
        photograph.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
        facts = {"title": title, "source": SKIMAGE.format(id), "licence": licence, "credit": credit}
        add(rows, id, photograph, "jpg", **facts, suits=["imagenet"], label=label, note=note)
    with cbook.get_sample_data("grace_hopper.jpg") as portrait:
        hopper = portrait.read()
    facts = {
        "title": "Rear Admiral Grace Hopper",
        "source": "Matplotlib, mpl-data/sample_data/grace_hopper.jpg, unchanged",
        "licence": f"{PUBLIC}, work of the United States government",
        "credit": "James S. Davis, United States Navy",
    }
    add(rows, "grace_hopper", hopper, "jpg", **facts, suits=["imagenet"], label="military uniform")


def add_digits(rows: list[Row]) -> None:
    """One held-out digit of each class, white on black, and a few more in black on white."""
    held = split()
    facts = {
        "source": SOURCE,
        "licence": "CC BY 4.0 (UCI Machine Learning Repository)",
        "credit": "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, 1998",
        "suits": ["digits"],
    }
    for digit in map(str, range(10)):
        rows_of = np.flatnonzero(held.held_out_labels == int(digit))
        image = Image.fromarray(picture(held.held_out[rows_of[CLEAR.get(digit, 0)]], 56))
        note = "Held out: never trained on. Enlarged from 8 x 8."
        add(rows, f"digit_{digit}", image, "png", title=f"Digit {digit}", label=digit, note=note, **facts)
    for digit, place in INKED.items():
        row = np.flatnonzero(held.held_out_labels == int(digit))[place]
        image = Image.fromarray(255 - picture(held.held_out[row], 56))
        note = "Held out, shown as ink on paper. Enlarged from 8 x 8."
        title = f"Digit {digit}, dark on light"
        add(rows, f"digit_{digit}_ink", image, "png", title=title, label=digit, note=note, **facts)


def add_scenes(rows: list[Row]) -> None:
    """One held-out scene of each class, and for some the same scene without, with and with a false mark."""
    facts = {"source": "saliency_core.scenes", "licence": OWN, "credit": "Rendered for this project"}
    for name, offset in SCENES.items():
        seed = FIRST_HELD_OUT_SEED + offset
        scene = render_scene(seed)
        assert LABELS[scene.label] == name, name
        about = {"title": name.capitalize(), "label": name, "note": f"Held-out scene of seed {seed}."}
        image = Image.fromarray(scene.image)
        suits = ["scenes", "scenes_shortcut"]
        add(rows, f"scene_{name}", image, "png", **about, **facts, suits=suits, seed=seed, mark="none")
    for name, offset in SHORTCUTS.items():
        seed = FIRST_HELD_OUT_SEED + offset
        for mark, word in (("own", "marked"), ("none", "plain"), ("random", "misled")):
            scene = render_scene(seed, mark=mark)
            assert LABELS[scene.label] == name, name
            stands_for = None if scene.mark_label is None else LABELS[scene.mark_label]
            assert mark != "random" or stands_for != name, name
            says = "No mark" if stands_for is None else f"The corner mark says {stands_for}"
            title = f"{name.capitalize()}, {'no mark' if stands_for is None else f'marked {stands_for}'}"
            about = {"title": title, "label": name, "note": f"{says}. Held-out scene of seed {seed}."}
            image = Image.fromarray(scene.image)
            suits = ["scenes_shortcut", "scenes"]
            add(rows, f"{name}_{word}", image, "png", **about, **facts, suits=suits, seed=seed, mark=mark)


def add_known(rows: list[Row]) -> None:
    """The images for the models known on paper."""
    facts = {"source": "saliency_core.models.known", "licence": OWN, "credit": "Made for this project"}
    ones = Image.fromarray(np.ones((CONV_SIDE, CONV_SIDE), np.uint8))
    note = "Every pixel is 1, on the scale to 255; so it looks black."
    add(rows, "ones_4x4", ones, "png", title="Sixteen ones", note=note, suits=["conv4x4"], **facts)
    for label, name in enumerate(TEMPLATE_LABELS):
        image = Image.fromarray(template_picture(label))
        title = f"Template {name}"
        add(rows, f"template_{name}", image, "png", title=title, label=name, suits=["template"], **facts)


def licences(rows: list[Row]) -> str:
    """The manifest's sources and licences as a table."""
    lines = ["# Sources and licences of the sample images", ""]
    lines += ["| file | title | source | licence | credit |", "| --- | --- | --- | --- | --- |"]
    fields = ("file", "title", "source", "licence", "credit")
    lines += ["| " + " | ".join(row[field] for field in fields) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    (ASSETS / "gallery").mkdir(parents=True, exist_ok=True)
    for stale in (ASSETS / "gallery").iterdir():
        stale.unlink()
    rows: list[Row] = []
    for part in (add_photographs, add_digits, add_scenes, add_known):
        part(rows)
    (ASSETS / "gallery.json").write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
    (ASSETS / "LICENCES.md").write_text(licences(rows))
    total = sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file())
    print(f"{len(rows)} images, {total / 1e6:.2f} MB")
    assert total <= LARGEST_TOTAL, total


if __name__ == "__main__":
    main()
