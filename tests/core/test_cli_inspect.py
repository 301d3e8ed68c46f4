"""The command line on model files: checked, opened in a process of their own, told in lines or as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from saliency_core.__main__ import main
from saliency_core.gallery import ASSETS, sample

pytestmark = pytest.mark.engine
keras = pytest.importorskip("keras")
ROOT = Path(__file__).parents[2]
SEVEN = str(ASSETS / sample("digit_7").file)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    layers = keras.layers
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(4, 3, activation="relu", name="edges"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(10, activation="softmax", name="chances"),
        ]
    )
    model.save(folder / "mine.keras")
    model.export(folder / "served", verbose=False)
    shutil.make_archive(str(folder / "served"), "zip", folder, "served")
    (folder / "names.txt").write_text("\n".join(f"digit {k}" for k in range(10)))
    doubled = keras.Sequential([layers.Input((28, 28, 1)), layers.Lambda(lambda x: 2 * x), layers.Flatten()])
    doubled.save(folder / "doubled.keras")
    return folder


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    """What a command that goes well prints as JSON."""
    assert main([*arguments, "--json"]) == 0
    found = capsys.readouterr()
    assert found.err == ""
    return json.loads(found.out)


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that goes wrong."""
    assert main(arguments) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert len(found.err.splitlines()) == 1
    assert found.err.startswith("error: ")
    return found.err


def test_a_file_is_told_in_lines(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(files / "mine.keras"), "--labels", str(files / "names.txt")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mine.keras"
    facts = dict(line.split(":", 1) for line in lines[1 : lines.index("")])
    assert facts["Format"].strip().startswith("Keras 3")
    assert facts["Input"].strip() == "28 x 28 x 1, raw pixels 0 to 255"
    assert facts["Classes"].strip() == "10, 10 names"
    assert facts["Head"].strip().startswith("softmax")
    assert facts["Preprocessing"].strip() == "raw()"
    assert facts["Parameters"].strip() == "90"
    assert len(facts["SHA-256"].strip()) == 64
    layers = lines[lines.index("") + 1 :]
    assert any(line.split() == ["edges", "26", "x", "26", "x", "4"] for line in layers), layers


def test_a_file_is_told_as_json_and_trust_changes_nothing(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["inspect", str(files / "mine.keras"), "--preprocessing", "unit"]
    found = told(arguments, capsys)
    assert set(found) == {"card", "layers", "doctor"}
    assert found["doctor"] == []
    assert found["card"]["name"] == "mine.keras"
    assert found["card"]["input"] == [28, 28, 1]
    assert found["card"]["preprocessing"] == "unit()"
    assert found["card"]["layers"] == len(found["layers"])
    assert found["card"]["description"]["outputs"]
    assert found == told([*arguments, "--trusted"], capsys)


@pytest.mark.parametrize("name", ["served", "served.zip"])
def test_a_saved_model_as_folder_or_archive(
    name: str, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = told(["inspect", str(files / name), "--signature", "serving_default"], capsys)
    assert found["card"]["name"] == name
    assert found["card"]["description"]["format"].startswith("SavedModel")
    assert found["card"]["description"]["signature"] == "serving_default"
    assert found["card"]["classes"] == 10


def test_the_doctor_looks_at_an_image(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(["inspect", str(files / "mine.keras"), "--image", SEVEN], capsys)["doctor"]
    assert (
        found == told(["inspect", str(files / "mine.keras"), "--image", SEVEN, "--trusted"], capsys)["doctor"]
    )
    assert all(one["sentence"] for one in found)


def test_a_name_is_told_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(["inspect", "digits"], capsys)
    assert found["card"]["name"] == "digits"
    assert len(found["layers"]) == found["card"]["layers"]
    assert main(["inspect", "digits"]) == 0
    assert capsys.readouterr().out.startswith("Handwritten digits\n")
    assert "its own preprocessing" in refusal(["inspect", "digits", "--preprocessing", "unit"], capsys)


def test_what_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(["inspect", "nosuch"], capsys)
    assert "no model named 'nosuch', and no such file" in line
    assert "digits" in line
    assert "required: MODEL" in refusal(["inspect"], capsys)


def test_a_refusal_is_one_line_and_exit_code_2(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refusal(["inspect", str(files / "doubled.keras")], capsys)
    assert line.startswith("error: doubled.keras was not opened: in ")
    assert "program code" in line
    assert "open_model(the_live_model)" in line
    assert main(["inspect", str(files / "doubled.keras"), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert found["error"] == "ModelError"
    assert found["message"].startswith("doubled.keras was not opened: in ")
    assert "names.txt was not opened" in refusal(["inspect", str(files / "names.txt")], capsys)
    assert "no size" in refusal(["inspect", str(files / "mine.keras"), "--size", "large"], capsys)


def test_explain_takes_the_same_way(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "explain",
        SEVEN,
        "--model",
        str(files / "mine.keras"),
        "--evidence",
        "--target",
        "class_logit(3)",
    ]
    found = told(arguments, capsys)
    here = told([*arguments, "--trusted"], capsys)
    assert found["evidence"]["error"] < 1e-3
    for summary in (found, here):
        del summary["seconds"]
    assert found == here
    assert "was not opened" in refusal(["explain", SEVEN, "--model", str(files / "doubled.keras")], capsys)


def test_as_a_command_nothing_else_is_said_and_nothing_is_left(files: Path) -> None:
    command = [sys.executable, "-m", "saliency_core", "inspect", str(files / "mine.keras")]
    before = set(files.iterdir())
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("mine.keras\nFormat:")
    assert set(files.iterdir()) == before
    done = subprocess.run(
        [*command[:-1], str(files / "doubled.keras")], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
