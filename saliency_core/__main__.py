"""The command line: `python -m saliency_core explain IMAGE --model digits --target "class_logit(3)"`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from saliency_core.errors import SaliencyError, SettingError
from saliency_core.spec import REQUIRED, specs

BESIDE = "baseline image"
NO_EVIDENCE = "This map is no derivative, so no finite difference can confirm it."
FITS = ("crop", "stretch", "pad")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or 2 after one clear line on bad input."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    in_json = "--json" in words
    try:
        given = _parser().parse_args(words)
        answer, lines = given.run(given)
    except SystemExit as ended:  # after --help
        return int(ended.code or 0)
    except SaliencyError as problem:
        if in_json:
            print(json.dumps({"error": type(problem).__name__, "message": str(problem)}))
        print(" ".join(f"error: {problem}".split()), file=sys.stderr)
        return 2
    print(json.dumps(answer) if in_json else "\n".join(lines))
    return 0


class _Parser(argparse.ArgumentParser):
    """A parser that raises what is wrong instead of printing its usage; its sub-commands do as well."""

    def error(self, message: str) -> NoReturn:
        raise SaliencyError(
            f"{message.strip()[:1].upper()}{message.strip()[1:300]}.", f"See {self.prog} --help."
        )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m saliency_core", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    explain = commands.add_parser("explain", help="explain one output of a model on one image")
    explain.add_argument("image", metavar="IMAGE", help="PNG, JPEG, WebP, AVIF, BMP, TIFF or GIF file")
    explain.add_argument(
        "--model",
        default="digits",
        help="name from `models`, or a .keras, .h5, .pb file or SavedModel folder; %(default)s if left out",
    )
    explain.add_argument("--target", default="top_class()", help="what to explain; see `targets`")
    explain.add_argument("--method", default="gradient()", help="how; see `methods`")
    explain.add_argument(
        "--baseline-image",
        action="append",
        default=[],
        metavar="FILE",
        help="the picture that a path method starts from; more than once for expected_gradients",
    )
    _file_choices(explain)
    explain.add_argument("--fit", choices=FITS, help="how the image meets the model's size")
    explain.add_argument("--look", default="", help="how the picture is drawn; see `looks`")
    explain.add_argument("--out", metavar="FILE.npz", help="write the map, the pixels and the recipe")
    explain.add_argument("--png", metavar="FILE.png", help="write the map laid over the image")
    explain.add_argument("--evidence", action="store_true", help="check the map by finite differences")
    explain.add_argument("--doctor", action="store_true", help="say what is unusual about the model")
    explain.set_defaults(run=_explain)

    recipe = commands.add_parser(
        "recipe", help="draw gradient, guided backpropagation and deconvnet, 2 x 2 each"
    )
    recipe.add_argument("model", metavar="MODEL", help="name or file, as for `explain`")
    recipe.add_argument("image", metavar="IMAGE", help="image file")
    recipe.add_argument("-o", "--out", required=True, metavar="FILE", help="FILE.png, FILE.pdf or FILE.svg")
    recipe.add_argument("--target", default="top_class()", help="what to explain; see `targets`")
    recipe.add_argument("--method", action="append", help="one of the methods alone; may be given again")
    recipe.add_argument("--fit", choices=FITS, help="how the image meets the model's size")
    _file_choices(recipe)
    recipe.set_defaults(run=_recipe)

    inspect = commands.add_parser("inspect", help="check and open a model, and print what is known of it")
    inspect.add_argument("model", metavar="MODEL", help="file, SavedModel folder, .zip of one, or a name")
    inspect.add_argument("--image", default="", help="let the doctor look at the model on this image")
    _file_choices(inspect)
    inspect.set_defaults(run=_inspect)

    for family, words in (
        ("model", "models"),
        ("method", "methods"),
        ("target", "targets"),
        ("baseline", "baselines"),
        ("look", "looks"),
    ):
        listing = commands.add_parser(words, help=f"list the {words}")
        listing.set_defaults(run=_models if family == "model" else _table, family=family)
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _file_choices(command: argparse.ArgumentParser) -> None:
    """Add what may be chosen when a model file is opened."""
    command.add_argument(
        "--preprocessing", help="for a file: raw, unit, symmetric, caffe, torch; raw if left out"
    )
    command.add_argument("--labels", default="", help="for a file: names of its classes, one a line")
    command.add_argument("--size", default="", help="for a file that leaves it open: HEIGHTxWIDTH[xCHANNELS]")
    for flag, words in (
        ("--signature", "which signature of a SavedModel"),
        ("--input", "which tensor of a graph takes the image"),
        ("--output", "which output is explained, by number or name"),
    ):
        command.add_argument(flag, default="", help=f"for a file: {words}")
    command.add_argument(
        "--trusted",
        action="store_true",
        help="open a file that you made yourself in this process, unchecked and quicker",
    )


def _opened(given: argparse.Namespace) -> Any:
    from saliency_core.engine.runtime import start_quietly
    from saliency_core.models.opening import model_names, open_model

    known = given.model in model_names()
    if given.preprocessing and known:
        raise SaliencyError(
            f"{given.model} brings its own preprocessing.", "Leave --preprocessing out; it is for files."
        )
    if known or given.trusted:
        start_quietly()
    return open_model(
        given.model,
        preprocessing=given.preprocessing or "raw",
        labels=given.labels or (),
        size=_size(given.size),
        signature=given.signature,
        input=given.input,
        output=given.output,
        trusted=given.trusted,
    )


def _inspect(given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from saliency_core.models.card_words import lines

    model = _opened(given)
    findings = _findings(model, given)
    told = [f"{title + ':':<22} {text}" for title, text in lines(model.card)]
    told += ["", *(f"{layer.name:<40} {' x '.join(map(str, layer.shape))}" for layer in model.layers)]
    told += [f"{one['severity']}: {one['sentence']} {one['advice']}" for one in findings]
    summary = {"card": model.card.facts(), "layers": [asdict(layer) for layer in model.layers]}
    return {**summary, "doctor": findings}, [f"{model.card.title}", *told]


def _explain(given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from saliency_core.checks.certainty import certainty
    from saliency_core.watched import watched

    _check_outputs(given)
    look = _look(given.look)
    model = _opened(given)
    method, pictures = _method(given)
    made = watched(model, Path(given.image), given.target, method, how=given.fit, pictures=pictures)
    summary: dict[str, Any] = {
        "score": made.score,
        "units": made.units,
        "kind": made.kind,
        "words": made.words,
        "shape": list(made.values.shape),
        "largest": float(abs(made.values).max()),
        "done": made.done,
        "total": made.total,
        "facts": dict(made.facts),
        "certainty": certainty(made),
        "notes": list(made.notes),
        "seconds": round(made.seconds, 4),
        "recipe": made.recipe,
        "predictions": [asdict(one) for one in made.predictions[:5]],
    }
    if given.evidence:
        summary["evidence"] = None if made.evidence is None else vars(made.evidence)
    findings = _findings(model, given) if given.doctor else []
    if given.doctor:
        summary["doctor"] = findings
    if given.out:
        _write(given.out, made.to_npz())
    if given.png:
        _write(given.png, _overlay(made, look))
    sure = summary["certainty"]
    lines = [
        f"{model.card.title} ({model.name}) on {made.recipe['image']}",
        f"{made.words}: {made.score:.6g}",
        f"map {' x '.join(str(n) for n in made.values.shape)}, {made.units}, "
        f"largest {summary['largest']:.3g}, {made.seconds:.2f} s",
        *(f"  {one.probability or 0:6.1%}  {one.label}" for one in made.predictions[:5]),
        *([f"stopped after {made.done} of {made.total}"] if made.done < made.total else []),
        *([f"standard error {100 * sure['error']:.2g} % of the map's strength"] if "error" in sure else []),
        *made.notes,
        *([made.evidence.sentence if made.evidence else NO_EVIDENCE] if given.evidence else []),
        *(f"{one['severity']}: {one['sentence']} {one['advice']}" for one in findings),
        *(["The doctor found nothing unusual."] if given.doctor and not findings else []),
        *(f"wrote {path}" for path in (given.out, given.png) if path),
    ]
    return summary, lines


def _method(given: argparse.Namespace) -> tuple[Any, dict[str, Path]]:
    """Return the method, and the pictures that it starts from where some were given."""
    from saliency_core.baselines import on_picture, pictures_in
    from saliency_core.grammar import parse

    method = parse("method", given.method)
    beside = {f"{BESIDE} {number}": Path(file) for number, file in enumerate(given.baseline_image, 1)}
    for name in beside:
        method = on_picture(method, name)
    if not set(beside) <= set(pictures_in(method)):
        raise SettingError(
            f"{method.id} starts from one picture; {len(beside)} were given.",
            "Give --baseline-image once, or choose expected_gradients().",
        )
    return method, beside


def _recipe(given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    import numpy as np

    from saliency_core.explanation import explain
    from saliency_core.render.figures import FORMATS, figure_bytes
    from saliency_core.render.recipe import METHODS, recipe_figure

    ending = Path(given.out).suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise SaliencyError(
            f"--out {given.out!r} names no kind of picture.", "Write -o FILE.png, .pdf or .svg."
        )
    model = _opened(given)
    made = [
        explain(model, Path(given.image), given.target, method, how=given.fit)
        for method in given.method or METHODS
    ]
    photo = np.clip(np.rint(made[0].point), 0, 255).astype(np.uint8)
    title = f"{model.card.title}, {made[0].words}: {made[0].score:.6g}"
    named = [(one.recipe["method"], one) for one in made]
    _write(given.out, figure_bytes(recipe_figure(named, photo, title), ending))
    told = [
        {"method": name, "largest": float(abs(one.values).max()), "notes": list(one.notes)}
        for name, one in named
    ]
    lines = [f"{name}: {' '.join(one.notes)}".rstrip(": ") for name, one in named]
    summary = {"score": made[0].score, "words": made[0].words, "units": made[0].units, "methods": told}
    return summary, [title, *lines, f"wrote {given.out}"]


def _findings(model: Any, given: argparse.Namespace) -> list[dict[str, Any]]:
    from saliency_core.checks.doctor import examine, look_over

    how = getattr(given, "fit", None)
    found = examine(model, Path(given.image), how=how) if given.image else look_over(model)
    return [one.facts() for one in found]


def _size(text: str) -> tuple[int, ...] | None:
    """Read a size such as 224x224 or 28x28x1."""
    parts = text.lower().split("x") if text else []
    if parts and (len(parts) not in (2, 3) or not all(part.isdigit() and int(part) for part in parts)):
        raise SaliencyError(f"--size {text!r} is no size.", "Write --size 224x224 or --size 28x28x1.")
    return tuple(map(int, parts)) or None


def _check_outputs(given: argparse.Namespace) -> None:
    """Refuse an unusable output path before the work, not after it."""
    for flag, path, ending in (("--out", given.out, ".npz"), ("--png", given.png, ".png")):
        if path and not path.lower().endswith(ending):
            raise SaliencyError(f"{flag} {path!r} does not end in {ending}.", f"Write {flag} FILE{ending}.")
        if path and not Path(path).absolute().parent.is_dir():
            raise SaliencyError(
                f"{flag}: the folder of {path!r} does not exist.", "Make it, or choose another."
            )


def _write(path: str, data: bytes) -> None:
    try:
        Path(path).write_bytes(data)
    except OSError as problem:
        raise SaliencyError(f"{path!r} cannot be written: {problem.strerror}.") from problem


def _look(text: str) -> Any:
    from saliency_core.grammar import parse

    return parse("look", text) if text else None


def _overlay(made: Any, look: Any) -> bytes:
    import numpy as np

    from saliency_core.render.compose import SLIDE, overlay_png, render
    from saliency_core.render.look import Look

    photo = np.clip(np.rint(made.point), 0, 255).astype(np.uint8)
    return overlay_png(render(made, photo, look or Look.for_kind(made.kind)), SLIDE)


def _models(given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from saliency_core.models.opening import menu

    rows = [vars(entry) for entry in menu()]
    return {"models": rows}, [f"{row['name']:<22} {row['title']:<40} {row['facts']}" for row in rows]


def _table(given: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from saliency_core.registry import table

    rows: list[dict[str, Any]] = []
    for id, cls in table(given.family).items():
        if not cls.hidden:
            settings = {
                name: {
                    "default": None if spec.default is REQUIRED else str(spec.default),
                    "allowed": spec.allowed,
                    "help": spec.help,
                }
                for name, spec in specs(cls).items()
            }
            about = {"title": cls.title, "about": cls.summary(), "pattern": cls.pattern()}
            rows.append({"id": id, **about, "settings": settings})
    lines = []
    for row in rows:
        lines.append(f"{row['pattern']}  {row['about']}")
        lines += [f"    {name}: {s['help']} ({s['allowed']})" for name, s in row["settings"].items()]
    return {f"{given.family}s": rows}, lines


if __name__ == "__main__":
    sys.exit(main())
