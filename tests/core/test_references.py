"""Every citation names a paper in the bibliography."""

from __future__ import annotations

import re

import pytest

from saliency_core.models.catalogue import CATALOGUE
from saliency_core.references import BIBLIOGRAPHY, Reference
from saliency_core.registry import table

CITED = {
    **{f"{family} {id}": cls.cites for family in ("method", "target") for id, cls in table(family).items()},
    **{f"network {id}": entry.cites for id, entry in CATALOGUE.items()},
}


@pytest.mark.parametrize("who", CITED)
def test_what_is_cited_is_in_the_bibliography(who: str) -> None:
    assert [key for key in CITED[who] if key not in BIBLIOGRAPHY] == []


def test_methods_and_networks_do_cite() -> None:
    silent = [who for who, keys in CITED.items() if not keys and not who.startswith("target")]
    assert silent == []


@pytest.mark.parametrize("key", BIBLIOGRAPHY)
def test_a_key_is_first_author_and_year_and_the_entry_is_whole(key: str) -> None:
    one = BIBLIOGRAPHY[key]
    surname = re.sub("[^a-z]", "", one.authors[0].split()[-1].lower())
    assert re.fullmatch(rf"{surname}{one.year}[a-z]*", key)
    assert one.title
    assert not one.title.endswith(".")
    assert one.venue
    assert re.fullmatch(r"https://\S+", one.url)


def test_no_paper_is_there_twice() -> None:
    assert len({one.url for one in BIBLIOGRAPHY.values()}) == len(BIBLIOGRAPHY)
    assert len({one.title.lower() for one in BIBLIOGRAPHY.values()}) == len(BIBLIOGRAPHY)


@pytest.mark.parametrize(
    ("authors", "who"),
    [
        (("A. Ant",), "A. Ant"),
        (("A. Ant", "B. Bee"), "A. Ant and B. Bee"),
        (("A. Ant", "B. Bee", "C. Cow"), "A. Ant, B. Bee and C. Cow"),
        (("A. Ant", "B. Bee", "C. Cow", "D. Dog"), "A. Ant and others"),
    ],
)
def test_authors_in_words(authors: tuple[str, ...], who: str) -> None:
    one = Reference(authors, "On Legs", "Zoo", 2001, "https://zoo.example/legs")
    assert one.text == f"{who}: On Legs. Zoo, 2001. https://zoo.example/legs"
