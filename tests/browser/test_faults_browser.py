"""What a person sees when a computation is slow, is stopped, loses its process or goes wrong."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import App, Visit, Visitor, running, visits
from tests.browser.slow_tasks import GATE

pytestmark = pytest.mark.browser

SLOW, WRONG = "template_cross", "template_frame"


@pytest.fixture(scope="module")
def slow_app(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("slow")
    yield from running("tests/browser/slow_app.py", folder, **{GATE: str(folder / "gate")})


@pytest.fixture
def gate(slow_app: App) -> Iterator[Path]:
    """What is slow goes on until this file is made."""
    file = slow_app.log_file.with_name("gate")
    yield file
    file.unlink(missing_ok=True)


@pytest.fixture
def visit(desk: Any, slow_app: App, gate: Path) -> Iterator[Visit]:
    yield from visits(desk, slow_app.url)


def waiting(one: Visitor, this: int, that: int) -> int:
    """Ask something slow that nobody has asked; return the process that works on it, as the page tells."""
    one.page.goto(f"{one.url}/?model=template&image={SLOW}&target=class_difference({this},{that})")
    return worker(one)


def worker(one: Visitor) -> int:
    found = one.page.get_by_text(re.compile(r"Process \d+")).first
    return int(re.search(r"\d+", found.inner_text()).group())


def done(one: Visitor) -> None:
    one.wait_for_heading("of the logit of Template cross")


def test_a_slow_map_tells_how_far_it_is_and_how_long_it_will_take(visit: Visit, gate: Path) -> None:
    one = visit()
    waiting(one, 0, 1)
    one.page.get_by_text(re.compile(r"about \d+ s left")).first.wait_for()
    assert one.page.get_by_test_id("stProgress").is_visible()
    assert one.page.get_by_role("heading", level=1).is_visible()  # the page is alive meanwhile
    assert one.page.get_by_role("combobox", name="Model").is_enabled()
    gate.touch()
    done(one)
    assert one.rest().page.get_by_test_id("stProgress").count() == 0


def test_a_slow_map_can_be_stopped_and_asked_again(visit: Visit, gate: Path) -> None:
    one = visit()
    waiting(one, 0, 2)
    one.page.get_by_role("button", name="Stop", exact=True).click()
    one.page.get_by_text("The computation was stopped.").wait_for()
    one.rest()
    assert one.page.get_by_test_id("stProgress").count() == 0
    gate.touch()
    one.page.get_by_role("button", name="Try again", exact=True).click()
    done(one)


def test_another_question_does_not_wait_for_a_slow_one(visit: Visit) -> None:
    one = visit()
    waiting(one, 1, 1)
    one.page.get_by_role("button", name="Template disc", exact=True).click()
    one.wait_for_heading("Gradient of the logit of Template disc")
    assert one.rest().address()["image"] == "template_disc"


def test_a_lost_process_costs_one_map_which_can_be_tried_again(
    visit: Visit, slow_app: App, gate: Path
) -> None:
    ann, bob = visit(), visit()
    mine = waiting(ann, 1, 0)
    assert waiting(bob, 1, 2) != mine
    os.kill(mine, signal.SIGKILL)
    ann.page.get_by_role("button", name="Try again", exact=True).wait_for()
    assert ann.page.get_by_test_id("stAlertContentError").count() == 1
    gate.touch()
    done(bob)
    assert slow_app.process.poll() is None
    ann.page.get_by_role("button", name="Try again", exact=True).click()
    done(ann)
    assert ann.rest().page.get_by_test_id("stAlertContentError").count() == 0


def test_a_lost_process_leaves_the_map_so_far_which_is_gone_on_from(visit: Visit, gate: Path) -> None:
    one = visit()
    ask = f"model=template&image={SLOW}&target=class_difference(2,1)&method=smoothgrad(samples=400)"
    one.page.goto(f"{one.url}/?{ask}")
    title = one.page.locator("section.viewer .heading", has_text="Process")
    os.kill(int(re.search(r"Process (\d+)", title.inner_text()).group(1)), signal.SIGKILL)
    one.page.get_by_test_id("stAlertContentError").wait_for()
    one.rest()
    assert one.page.get_by_test_id("stAlertContentError").count() == 1
    assert title.is_visible()
    assert one.colours() == 2  # the toy map has two values, an empty one shows one
    stopped = re.search(r"Stopped after (\d+) of 3000 samples", one.text("^Stopped after")).group(1)
    one.page.get_by_role("button", name="Go on", exact=True).click()
    went_on = one.page.get_by_text(re.compile(r"^\d+ of 3000 samples"))
    went_on.wait_for()
    one.page.get_by_test_id("stAlertContentError").wait_for(state="detached")
    assert int(went_on.inner_text().split()[0]) >= int(stopped)
    gate.touch()
    done(one)


def test_an_unforeseen_error_shows_an_id_that_is_in_the_log_and_nothing_else(
    visit: Visit, slow_app: App
) -> None:
    one = visit()
    one.page.goto(f"{one.url}/?model=template&image={WRONG}")
    alert = one.page.get_by_text(re.compile("The log has the details under error [0-9a-f]{8}"))
    number = re.search(r"error ([0-9a-f]{8})", alert.first.inner_text()).group(1)
    body = one.page.locator("body").inner_text()
    for secret in ("Traceback", "KeyError", "/saliency_view/", ".py", "passwd"):
        assert secret not in body
    assert re.search(rf"error {number}\n(.*\n)+?KeyError", slow_app.log)
    one.page.get_by_role("button", name="Template disc", exact=True).click()  # the page is not dead
    one.wait_for_heading("Gradient of the logit of Template disc")


def test_a_waiting_page_keeps_the_last_map_of_the_picture_and_dims_it(visit: Visit, gate: Path) -> None:
    one = visit()
    gate.touch()
    one.open(model="template", image=SLOW, target="class_difference(2,0)")
    gate.unlink()
    one.choose("Method", "Gradient x input · gradients")
    worker(one)
    dimmed = one.page.locator("section.viewer[data-busy]")
    dimmed.wait_for()
    gate.touch()
    dimmed.wait_for(state="detached")
    assert one.rest().heading.inner_text() == "Gradient x input of the logit of Template cross"
