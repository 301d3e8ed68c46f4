"""The command line: JSON on stdout, exit code 2 and one line on stderr for bad input."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from saliency_core.__main__ import main
from saliency_core.gallery import ASSETS, sample

ROOT = Path(__file__).parents[2]
SEVEN = str(ASSETS / sample("digit_7").file)


@pytest.mark.parametrize("command", ["models", "methods", "targets", "baselines", "looks"])
def test_lists_are_one_json_object(command, capsys):
    assert main([command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)[command]
    names = [row["name"] if command == "models" else row["id"] for row in rows]
    assert set(names) & {"digits", "gradient", "class_logit", "black", "look"}
    assert main([command]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert [word.partition("(")[0] for word in listed] == names


@pytest.mark.engine
def test_explain_writes_map_and_picture(tmp_path, capsys):
    out, png = tmp_path / "map.npz", tmp_path / "overlay.png"
    arguments = [
        "explain",
        SEVEN,
        "--model",
        "digits",
        "--target",
        "class_logit(3)",
        "--method",
        "gradient()",
    ]
    assert main([*arguments, "--out", str(out), "--png", str(png), "--evidence", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    with np.load(out) as kept:
        recipe = json.loads(str(kept["recipe"]))
        assert kept["values"].shape == (28, 28, 1)
        assert float(np.abs(kept["values"]).max()) == pytest.approx(told["largest"])
    assert recipe["target"] == "class_logit(3)"
    assert recipe["units"] == told["units"] == "logit per grey level"
    assert told["predictions"][0]["label"] == "7"
    assert told["evidence"]["error"] < 1e-3
    assert png.read_bytes().startswith(b"\x89PNG")


@pytest.mark.engine
def test_a_path_can_start_from_a_picture_file(capsys):
    one = str(ASSETS / sample("digit_1").file)
    asked = ["explain", SEVEN, "--target", "class_logit(7)", "--baseline-image", one, "--json", "--method"]
    assert main([*asked, "integrated_gradients(steps=10)"]) == 0
    told = json.loads(capsys.readouterr().out)
    digest = hashlib.sha256(Path(one).read_bytes()).hexdigest()
    assert f"picture('{digest}')" in told["recipe"]["method"].replace("name=", "")
    assert told["facts"]["whole"] > 0
    assert "adds up to" in told["notes"][0]
    assert main([*asked, "gradient()"]) == 2
    assert "no baseline" in json.loads(capsys.readouterr().out)["message"]
    asked[1:1] = ["--baseline-image", str(ASSETS / sample("digit_2").file)]
    assert main([*asked, "integrated_gradients(steps=10)"]) == 2
    assert "one picture; 2 were given" in json.loads(capsys.readouterr().out)["message"]
    assert main([*asked, "expected_gradients(samples=10)"]) == 0
    method = json.loads(capsys.readouterr().out)["recipe"]["method"]
    assert "'named'" in method
    assert digest in method


@pytest.mark.engine
def test_the_doctor_is_asked_on_demand(capsys):
    assert main(["explain", SEVEN, "--doctor"]) == 0
    assert capsys.readouterr().out.endswith("The doctor found nothing unusual.\n")
    disc = str(ASSETS / "gallery" / "template_frame.png")
    assert main(["explain", disc, "--model", "template", "--doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (one,) = told["doctor"]
    assert one["id"] == "saturated"
    assert one["numbers"]["probability"] == pytest.approx(told["predictions"][0]["probability"])
    assert main(["explain", disc, "--model", "template", "--json"]) == 0
    assert "doctor" not in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["explain", "nowhere.png"], "nowhere.png"),
        (["explain", SEVEN, "--preprocessing", "unit"], "its own preprocessing"),
        (["explain", SEVEN, "--look", "blah"], "Write look(reduce='max_abs'"),
        (["explain", SEVEN, "--model", "nothing"], "digits"),
        (["explain", SEVEN, "--target", "class_logit(33)"], "0 to 9"),
        (["explain", SEVEN, "--target", "class_logit("], "class_logit(3)"),
        (["explain", SEVEN, "--method", "magic()"], "gradient"),
        (["explain", SEVEN, "--out", "map.txt"], ".npz"),
        (["explain", SEVEN, "--png", "no/such/folder/a.png"], "folder"),
        (["explain", SEVEN, "--look", "look(sign='up')"], "magnitude"),
        (["explain", str(ASSETS / "gallery.json")], "gallery.json"),
    ],
)
@pytest.mark.engine
def test_bad_input_is_one_line_and_exit_code_2(arguments, word, capsys):
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert word in told.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["banana"], "invalid choice: 'banana'"),
        (["--banana"], "required: COMMAND"),
        (["explain"], "required: IMAGE"),
        (["explain", SEVEN, "--banana"], "Unrecognized arguments: --banana"),
        (["explain", SEVEN, "two.png"], "Unrecognized arguments: two.png"),
        (["explain", SEVEN, "--target"], "--target: expected one argument"),
        (["explain", SEVEN, "--fit", "up\nside\rdown"], "crop"),
        (["models", "digits"], "Unrecognized arguments: digits"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(arguments, words, capsys):
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
    assert words in told.err
    assert told.err.startswith("error: ")
    assert "--help." in told.err


def test_a_wrong_command_line_with_json_is_one_object_too(capsys):
    assert main(["explain", "--json"]) == 2
    told = capsys.readouterr()
    assert "IMAGE" in json.loads(told.out)["message"]
    assert len(told.err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--help"], ["explain", "-h"], ["models", "--help"]])
def test_help_is_usage_on_stdout_and_no_error(arguments, capsys):
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert told.out.startswith("usage: python -m saliency_core")
    assert told.err == ""


def test_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "saliency_core", "targets", "--json"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["targets"]


def test_a_wrong_command_ends_with_one_line_on_stderr():
    done = subprocess.run(
        [sys.executable, "-m", "saliency_core", "banana"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.engine
def test_an_answer_comes_without_the_talk_of_tensorflow_and_names_its_model():
    command = [sys.executable, "-m", "saliency_core", "explain", SEVEN]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("Handwritten digits (digits) on digit_7.png\n")


@pytest.mark.engine
def test_the_recipe_is_drawn_for_three_methods_or_one(tmp_path, capsys):
    out = tmp_path / "recipe.png"
    assert main(["recipe", "digits", SEVEN, "-o", str(out), "--target", "class_logit(7)", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["method"] for one in told["methods"]] == ["gradient()", "guided_backprop()", "deconvnet()"]
    assert "ReLUs patched" in told["methods"][1]["notes"][0]
    assert out.read_bytes().startswith(b"\x89PNG")
    assert main(["recipe", "digits", SEVEN, "-o", str(out), "--method", "gradient()"]) == 0
    assert capsys.readouterr().out.endswith(f"gradient()\nwrote {out}\n")
    assert main(["recipe", "digits", SEVEN, "-o", "recipe.txt"]) == 2
    assert "names no kind of picture" in capsys.readouterr().err
