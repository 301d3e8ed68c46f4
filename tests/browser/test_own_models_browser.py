"""A researcher brings a model: opened, explained, looked into, lost and found again, and refused in words."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.browser.conftest import App, Visit, Visitor
from tests.engine import networks

pytestmark = [pytest.mark.browser, pytest.mark.engine]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import keras

    keras.utils.set_random_seed(3)
    folder = tmp_path_factory.mktemp("brought")
    networks.sequential(keras).save(folder / "mine.keras")
    image = keras.layers.Input((8, 6, 3))
    seen = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    ends = {name: keras.layers.Dense(3, name=name)(seen) for name in ("whole", "half")}
    keras.Model(image, ends).save(folder / "other.keras")
    code = keras.Sequential([keras.layers.Input((4, 4, 3)), keras.layers.Lambda(lambda x: x * 2)])
    code.save(folder / "code.keras")
    return folder


def bring(one: Visitor, path: Path) -> Visitor:
    """Give the box in the sidebar a file; the caller waits for what is to come of it."""
    field = one.page.locator("input[type=file][accept*='.keras']")
    if not field.is_visible():
        box = one.page.get_by_test_id("stSidebar").get_by_text(re.compile("^(Open your|Your) own model$"))
        box.first.click()
    field.wait_for(state="attached")
    field.set_input_files(path)
    return one


def wait_for_own(one: Visitor) -> Visitor:
    one.page.wait_for_url(re.compile("model=own-"))
    return one.rest()


def confined_children(app: App) -> list[int]:
    """Return the server's children that hold a stranger's model: their arguments say where it would lie."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            for argument in stat.with_name("cmdline").read_bytes().split(b"\0"):
                if parent == app.process.pid and b"scratch-" in argument:
                    held = json.loads(argument)
                    if held["readable"] or os.listdir(held["place"]):
                        found.append(int(stat.parent.name))
    return found


def test_an_own_model_is_explained_and_a_lost_process_costs_one_map(
    visit: Visit, app: App, files: Path
) -> None:
    one = wait_for_own(bring(visit().open(), files / "mine.keras"))
    assert "mine.keras" in one.facts
    values, _, recipe = one.numbers()
    assert (values.shape, recipe["model"]) == ((9, 7, 3), "mine.keras")
    one.page.get_by_text("Checked:").wait_for()
    (process,) = confined_children(app)
    os.kill(process, signal.SIGKILL)
    one.explain_class(1)  # a new process opens the file again
    assert app.process.poll() is None
    assert confined_children(app) != [process]
    one.page.get_by_role("link", name="Layers and units").first.click()
    one.page.get_by_role("heading", name="Layers and units").wait_for()
    one.rest()
    assert one.address()["model"].startswith("own-")
    assert "mine.keras" in one.facts


def test_each_model_has_a_fresh_process_and_all_of_a_visit_stay(visit: Visit, app: App, files: Path) -> None:
    one = wait_for_own(bring(visit().open(), files / "mine.keras"))
    first, of_first = one.address()["model"], set(confined_children(app))
    bring(one, files / "other.keras")
    one.page.wait_for_url(lambda url: "model=own-" in url and first not in url)
    one.rest()
    assert "other.keras" in one.facts
    assert len(set(confined_children(app)) - of_first) == 1
    assert of_first <= set(confined_children(app))
    one.page.go_back()
    one.wait_for_address(model=first)
    assert "mine.keras" in one.facts


def test_what_shows_at_sight_is_told_and_the_outputs_are_a_list(visit: Visit, files: Path) -> None:
    one = wait_for_own(bring(visit().open(), files / "other.keras"))
    one.page.get_by_test_id("stSidebar").get_by_text("Your own model", exact=True).click()
    one.page.get_by_label("Names of the classes").fill("one\ntwo")
    one.page.get_by_text("Which input and output").click()
    one.choose("Output", "half")
    assert one.page.get_by_role("combobox", name="Input", exact=True).count() == 0
    one.page.get_by_role("button", name="Open with these").click()
    one.page.get_by_text(re.compile("There are 2 names for 3 classes")).first.wait_for()
    one.rest()
    assert one.page.get_by_text(re.compile("There are 2 names for 3 classes")).count() == 1


def test_on_a_phone_the_sidebar_gives_way_to_the_map(visit: Visit, files: Path) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    one = visit(fresh=True, **phone).open()
    one.page.get_by_test_id("stExpandSidebarButton").click()
    wait_for_own(bring(one, files / "mine.keras"))
    one.page.get_by_test_id("stExpandSidebarButton").wait_for()
    one.page.get_by_test_id("stExpandSidebarButton").click()  # it can be opened again, and then stays
    one.page.get_by_test_id("stSidebar").get_by_text("Your own model", exact=True).wait_for()
    one.rest()
    one.page.wait_for_timeout(500)
    assert one.page.get_by_test_id("stSidebar").get_by_text("Your own model", exact=True).is_visible()


def test_a_model_with_code_in_it_is_refused_and_nothing_is_lost(visit: Visit, files: Path) -> None:
    one = visit().open(model="digits", image="digit_3")
    before = one.facts
    bring(one, files / "code.keras")
    said = one.page.get_by_text(re.compile("code.keras was not opened")).first
    said.wait_for()
    assert "Lambda" in said.inner_text()
    assert one.facts == before
    one.page.get_by_role("button", name="Close", exact=True).click()
    one.rest()
    wait_for_own(bring(one, files / "mine.keras"))


def test_the_about_page_says_what_holds(visit: Visit) -> None:
    one = visit().open("about")
    assert one.page.get_by_text("No file but the model can be read.").is_visible()
    assert (
        one.page.get_by_role("cell", name="yes").count() + one.page.get_by_role("cell", name="no").count()
        >= 10
    )
