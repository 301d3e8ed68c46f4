"""Names of classes from files and sequences."""

from __future__ import annotations

import json

import pytest

from saliency_core.errors import ModelError
from saliency_core.models.labels import read_labels


def test_lines_lists_and_objects(tmp_path):
    names = ("background", "a tench", "née")
    (tmp_path / "names.txt").write_text("\ufeffbackground\na tench\r\nnée\n\n", encoding="utf-8")
    (tmp_path / "list.json").write_text(json.dumps(list(names)))
    (tmp_path / "index.json").write_text(json.dumps({"2": names[2], "0": names[0], "1": ["n1", names[1]]}))
    for source in (
        names,
        list(names),
        tmp_path / "names.txt",
        tmp_path / "list.json",
        tmp_path / "index.json",
    ):
        assert read_labels(source) == names
    assert read_labels(()) == ()


@pytest.mark.parametrize(
    ("name", "text"), [("a.json", "{"), ("b.json", '{"7": "x"}'), ("c.json", "3"), ("none.txt", None)]
)
def test_what_lists_no_names_is_one_sentence(tmp_path, name, text):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=name):
        read_labels(tmp_path / name)
