"""A visitor's own model on real, confined workers: opened, explained, opened otherwise, refused, forgotten."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from saliency_core import explain, open_model
from saliency_core.gallery import sample
from saliency_view import compute
from tests.engine import networks
from tests.pages.conftest import asked, fine, settled

pytestmark = pytest.mark.engine
Visit = Callable[..., AppTest]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A small network as .keras and as a zipped SavedModel, and one that holds code of its own."""
    import keras

    keras.utils.set_random_seed(3)
    folder = tmp_path_factory.mktemp("models")
    model = networks.sequential(keras)
    model.save(folder / "sound.keras")
    model.export(folder / "saved", verbose=False)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((folder / "saved").rglob("*")):
            archive.write(path, path.relative_to(folder))
    code = keras.Sequential([keras.layers.Input((4, 4, 3)), keras.layers.Lambda(lambda x: x * 2)])
    code.save(folder / "code.keras")
    return {
        "sound.keras": (folder / "sound.keras").read_bytes(),
        "saved.zip": packed.getvalue(),
        "code.keras": (folder / "code.keras").read_bytes(),
    }


def bring(page: AppTest, name: str, data: bytes) -> AppTest:
    page.file_uploader(key="model-upload").set_value((name, data, "application/octet-stream"))
    return settled(page)


def shown() -> tuple[np.ndarray, dict[str, Any]]:
    result = asked()["explain"].result
    assert result is not None
    return result.arrays["values"], result.message["recipe"]


def named(fields: Any, label: str) -> Any:
    """Return the field with a label; its key names how the model is opened now."""
    return next(one for one in fields if one.label == label)


def test_a_model_is_opened_explained_and_opened_otherwise(
    visit: Visit, files: dict[str, bytes], tmp_path: Path
) -> None:
    page = bring(visit(), "sound.keras", files["sound.keras"])
    fine(page)
    id = page.query_params["model"]
    assert id.startswith("own-")
    own = tmp_path / "sound.keras"
    own.write_bytes(files["sound.keras"])
    picture = sample(page.query_params["image"]).read()
    values, recipe = shown()
    assert (recipe["model"], recipe["preprocessing"]) == ("sound.keras", "raw()")
    trusted = explain(open_model(own, trusted=True), picture)
    np.testing.assert_array_equal(values, trusted.values)

    named(page.selectbox, "Preprocessing").set_value("unit")
    named(page.text_area, "Names of the classes").set_value("one\ntwo\nthree\nfour\nfive")
    named(page.button, "Open with these").click()
    fine(settled(page))
    values, recipe = shown()
    assert recipe["preprocessing"] == "unit()"
    trusted = explain(open_model(own, trusted=True, preprocessing="unit"), picture)
    np.testing.assert_array_equal(values, trusted.values)
    assert asked()["explain"].result.message["predictions"][0]["label"] in (
        "one",
        "two",
        "three",
        "four",
        "five",
    )


def test_a_zipped_saved_model_has_a_layer_browser(visit: Visit, files: dict[str, bytes]) -> None:
    page = bring(visit(), "saved.zip", files["saved.zip"])
    fine(page)
    page.switch_page("pages/units/units.py")
    fine(settled(page))
    assert page.query_params["model"].startswith("own-")
    assert shown()[1]["explained"].startswith("layer_unit(")


def test_a_model_with_code_of_its_own_is_refused_in_a_sentence_and_the_page_goes_on(
    visit: Visit, files: dict[str, bytes]
) -> None:
    page = visit()
    before = shown()[1]
    bring(page, "code.keras", files["code.keras"])
    assert not page.exception
    (said,) = [one.value.replace("\\", "") for one in page.error]
    assert said.startswith("code.keras was not opened")
    assert "Lambda" in said
    assert shown()[1] == before
    page.button(key="own-close").click()
    fine(settled(page))
    fine(bring(page, "sound.keras", files["sound.keras"]))


def test_what_is_no_model_is_refused(visit: Visit) -> None:
    page = bring(visit(), "![x](http://a.b) <b>.keras", b"these are notes")
    assert not page.exception
    assert len(page.error) == 1
    assert "<b>" not in page.error[0].value.replace("\\<", "")


def test_the_files_of_a_visit_are_gone_when_it_ends(visit: Visit, files: dict[str, bytes]) -> None:
    page = bring(visit(), "sound.keras", files["sound.keras"])
    upload = asked()["explain"].request.upload
    assert upload is not None
    assert Path(upload.path).exists()
    compute.forget_upload(upload.id)
    assert not Path(upload.path).exists()
    assert page.query_params["model"].startswith("own-")


def test_an_address_with_an_own_model_opens_on_another_and_says_why(
    visit: Visit, files: dict[str, bytes]
) -> None:
    page = bring(visit(), "sound.keras", files["sound.keras"])
    other = visit(**dict(page.query_params))
    assert not other.exception
    assert any("stays with the visit" in one.value for one in other.warning)
    assert not other.query_params["model"].startswith("own-")
