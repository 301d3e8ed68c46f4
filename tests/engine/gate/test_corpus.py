"""Every hostile or broken file is refused before anything of it runs, in a sentence that says why."""

from __future__ import annotations

import ast
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from saliency_core.engine.gate import Admitted, Limits, Refused, admit
from tests.engine.hostile import Case, corpus

pytestmark = pytest.mark.engine
GATE = Path(__file__).parents[3] / "saliency_core" / "engine" / "gate"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("gate")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cases(place: Path) -> list[Case]:
    return corpus(place / "corpus", place / "marker")


def tried(case: Case, scratch: Path) -> Admitted | Refused:
    scratch.mkdir()
    try:
        return admit(case.path, scratch)
    except Refused as refusal:
        return refusal


@pytest.fixture(scope="module")
def outcomes(cases: list[Case], place: Path) -> dict[str, tuple[Case, Admitted | Refused]]:
    return {case.name: (case, tried(case, place / f"scratch{k}")) for k, case in enumerate(cases)}


def test_the_corpus_is_broad(cases: list[Case]) -> None:
    refused = [case for case in cases if case.expect == "refuse"]
    assert len(refused) >= 300
    assert len({case.name for case in cases}) == len(cases)
    for family in ("graph_", "saved_model_", "keras_", "h5_", "archive_", "other_"):
        assert sum(case.name.startswith(family) for case in refused) >= 12


def test_all_is_refused_with_its_reason(outcomes: dict[str, tuple[Case, Admitted | Refused]]) -> None:
    wrong = [
        (case.name, case.word, str(outcome))
        for case, outcome in outcomes.values()
        if case.expect == "refuse"
        and not (isinstance(outcome, Refused) and case.word.lower() in str(outcome).lower())
    ]
    assert wrong == []


def test_the_honest_ones_are_admitted(outcomes: dict[str, tuple[Case, Admitted | Refused]]) -> None:
    honest = [pair for pair in outcomes.values() if pair[0].expect == "open"]
    assert len(honest) >= 15
    assert [(case.name, str(outcome)) for case, outcome in honest if isinstance(outcome, Refused)] == []


def test_nothing_has_run(outcomes: dict[str, tuple[Case, Admitted | Refused]], place: Path) -> None:
    assert outcomes
    assert not (place / "marker").exists()


def test_each_refusal_names_the_file_and_what_to_do(
    outcomes: dict[str, tuple[Case, Admitted | Refused]],
) -> None:
    for case, outcome in outcomes.values():
        if isinstance(outcome, Refused):
            name = "".join(sign if sign.isprintable() else "?" for sign in case.path.name)
            assert outcome.problem.startswith(f"{name} was not opened:")
            assert outcome.part in outcome.problem
            assert outcome.reason in outcome.problem
            assert outcome.hint.endswith(".")
            assert str(outcome).isprintable()
            assert "safe mode" not in str(outcome).lower()
            assert len(str(outcome)) < 600


def test_a_lambda_comes_with_a_way_out(outcomes: dict[str, tuple[Case, Admitted | Refused]]) -> None:
    for name in ("keras_lambda", "keras_custom_layer", "h5_lambda"):
        refusal = outcomes[name][1]
        assert isinstance(refusal, Refused)
        assert "open_model(the_live_model)" in refusal.hint
        assert "model.export('folder')" in refusal.hint


def test_an_own_gradient_is_told(outcomes: dict[str, tuple[Case, Admitted | Refused]]) -> None:
    admitted = outcomes["graph_honest_with_own_gradient"][1]
    assert isinstance(admitted, Admitted)
    assert any("brings its own gradient rules" in notice for notice in admitted.notices)
    plain = outcomes["graph_honest"][1]
    assert isinstance(plain, Admitted)
    assert plain.notices == ()


def test_an_archive_is_unpacked_into_a_private_folder(
    outcomes: dict[str, tuple[Case, Admitted | Refused]],
) -> None:
    admitted = outcomes["saved_model_honest_zip_one_deep"][1]
    assert isinstance(admitted, Admitted)
    assert (admitted.path / "variables" / "variables.index").is_file()
    assert admitted.path.stat().st_mode & 0o077 == 0


def test_the_payloads_are_real(place: Path) -> None:
    import tensorflow as tf

    from tests.engine.hostile.payloads import payloads
    from tests.engine.hostile.protos import graph, network

    for name in ("write_file", "print_to_file", "save_v2"):
        marker = place / f"real_{name}"
        made = graph([*payloads(marker, place / "secret")[name], *network("act")])
        with tf.Graph().as_default() as default:
            tf.import_graph_def(made, name="")
            with tf.compat.v1.Session(graph=default) as session:
                session.run("out:0", {"x:0": [[[[0.0] * 3] * 8] * 8]})
        assert list(place.glob(f"real_{name}*"))


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("keras_honest", Limits(total=1_000)),
        ("graph_honest", Limits(nodes=3)),
        ("graph_honest", Limits(chain=2)),
        ("saved_model_honest_variables", Limits(members=2)),
        ("saved_model_honest_variables", Limits(functions=1)),
    ],
)
def test_every_limit_is_kept(
    name: str, limits: Limits, outcomes: dict[str, tuple[Case, Admitted | Refused]], tmp_path: Path
) -> None:
    case, outcome = outcomes[name]
    assert isinstance(outcome, Admitted)
    with pytest.raises(Refused):
        admit(case.path, tmp_path, limits)


@pytest.mark.parametrize("path", sorted(GATE.glob("*.py")), ids=lambda path: path.name)
def test_the_gate_names_nothing_that_runs_a_model(path: Path) -> None:
    names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    names |= {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
    forbidden = {"load_model", "import_graph_def", "Session", "loads_pickle", "load_weights", "keras"}
    assert not names & (forbidden | {"eval", "exec", "compile_graph", "extractall", "extract"})


def test_many_calls_of_many_functions_take_no_time(tmp_path: Path) -> None:
    from tests.engine.hostile.protos import call, function, graph, identity, network, saved_model

    functions = [function(f"f{k}", [identity()]) for k in range(2_000)]
    calls = [call(f"c{k}", f"f{k % 2_000}") for k in range(20_000)]
    saved_model(graph([*network(), *calls], *functions), tmp_path / "many")
    start = time.monotonic()
    admit(tmp_path / "many", tmp_path)
    assert time.monotonic() - start < 20.0
