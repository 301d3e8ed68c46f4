"""A map that is made of many samples: it appears at once, sharpens, can be stopped, and goes on."""

from __future__ import annotations

import re

import numpy as np
import pytest

from saliency_core import explain
from saliency_core.gallery import sample
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.engine]

SLOW = "smoothgrad(base=smoothgrad(samples=40), samples=400)"
TWICE = "smoothgrad(base=smoothgrad(samples=4), samples=8)"


def test_a_stopped_map_stays_and_going_on_makes_the_one_that_was_asked_for(visit: Visit) -> None:
    one = visit()
    one.page.goto(f"{one.url}/?model=digits&image=digit_7&method={SLOW}")
    one.page.get_by_text(re.compile(r"^\d+ of 400 samples")).wait_for()
    assert one.colours() > 10  # a map, while it is made
    one.page.get_by_test_id("stMain").get_by_role("button", name="Stop", exact=True).last.click()
    one.page.get_by_text(re.compile(r"Stopped after")).wait_for()
    one.rest()
    line = one.page.locator("p", has_text="Stopped after").first.inner_text()
    said = re.search(r"Stopped after (\d+) of 400 samples.*standard error ([\d.]+) %", line)
    assert said
    values, _, recipe = one.numbers()
    assert recipe["done"] == int(said[1]) < recipe["total"] == 400
    assert values.any()
    one.page.get_by_role("button", name="Go on").click()
    one.page.get_by_text(re.compile(r"400 samples · standard error")).wait_for()
    one.rest()
    whole, _, recipe = one.numbers()
    assert recipe["done"] == recipe["total"] == 400
    alone = explain("digits", sample("digit_7").read(), method=SLOW)
    assert np.abs(whole - alone.values).max() <= 1e-5 * np.abs(alone.values).max()
    assert not np.array_equal(whole, values)


def test_more_samples_are_added_to_those_that_are_there(visit: Visit) -> None:
    one = visit().open(model="digits", image="digit_3", method=TWICE)
    one.page.get_by_role("button", name="Continue to 16").click()
    one.page.get_by_text(re.compile(r"16 samples · standard error")).wait_for()
    one.rest()
    values, _, recipe = one.numbers()
    assert (recipe["done"], recipe["total"]) == (16, 16)
    assert "samples=16" in recipe["method"]
    assert one.address()["method"] == recipe["method"]
    alone = explain("digits", sample("digit_3").read(), method=TWICE.replace("samples=8", "samples=16"))
    assert np.abs(values - alone.values).max() <= 1e-5 * np.abs(alone.values).max()


def test_what_noise_could_be_fades_and_reads_so(visit: Visit) -> None:
    one = visit().open(model="digits", image="digit_7", method="smoothgrad(samples=4)")
    before = one.picture()
    one.page.get_by_text("Fade noise").click()
    one.page.wait_for_url(re.compile("faded%3DTrue"))
    one.rest()
    assert one.picture() != before
    told = [one.point_at(row, 13)["value"] for row in range(0, 28, 3)]
    faint = ["noise" in text for text in told]
    assert any(faint)
    assert not all(faint)
