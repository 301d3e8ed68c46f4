"""The protections are what was tried, not what was hoped."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from saliency_core.workers import protections, trial
from saliency_core.workers.protections import EXTRA, ROWS, WALLS, attempt, judge
from saliency_core.workers.sandbox import UNCONFINED

ROOT = Path(__file__).resolve().parents[2]
linux = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox is Linux's")


@linux
def test_confined_everything_is_refused():
    holds = attempt(confined=True)
    assert {name for name in ROWS if not holds.get(name)} <= EXTRA
    assert judge(holds).tier == "full"


@linux
def test_not_confined_every_attempt_gets_through():
    holds = attempt(confined=False)
    assert {name for name, held in holds.items() if held} <= {
        "orphan",
        *([] if os.geteuid() == 0 else ["peek"]),
    }
    assert judge(holds).tier == "none"


@linux
def test_an_ordinary_user_is_protected_as_well(tmp_path):
    python = Path(sys.base_prefix)
    open_to_all = all(
        part.stat().st_mode & 0o005 == 0o005 for part in [python, *python.parents, ROOT, *ROOT.parents]
    )
    if os.geteuid() != 0 or not shutil.which("setpriv") or not open_to_all:
        pytest.skip("needs root, setpriv, and a Python and a checkout that everybody may read")
    code = (
        f"import sys, json; sys.path.insert(0, {str(ROOT)!r}); from saliency_core.workers import protections; "
        "print(json.dumps(protections.protections().facts()))"
    )
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    assert json.loads(done.stdout)["tier"] == "full"


WITHOUT = (
    "import sys; sys.path.insert(0, sys.argv[1]); from saliency_core.workers import sandbox, trial\n"
    "def refuse(*arguments): raise OSError\n"
    "sandbox.{step} = refuse; trial.main(sys.argv[2:])"
)


@linux
@pytest.mark.parametrize(
    ("step", "lost", "tier"),
    [
        ("_landlock", {"read", "write"}, "partial"),
        ("_filter", {"change", "network", "processes", "kernel", "memory"}, "partial"),
        ("_limit", {"memory", "file_size"}, "partial"),
        ("_prctl", {"privileges", "read", "write"}, "none"),  # the kernel then takes neither of the two
        ("_leave_network", {"namespace"}, "full"),
    ],
)
def test_each_step_holds_what_it_is_there_for(monkeypatch, step, lost, tier):
    monkeypatch.setattr(protections, "BEGIN", WITHOUT.format(step=step))
    holds = attempt(confined=True)
    assert lost <= {name for name in ROWS if not holds.get(name)}
    assert judge(holds).tier == tier


def test_every_attempt_has_its_row():
    assert {one.__name__ for one in trial.ATTEMPTS} == set(ROWS)
    assert {*WALLS, *EXTRA} <= set(ROWS)
    assert trial.ATTEMPTS[-1] is trial.programs


def test_the_tier_is_full_only_if_all_but_the_extra_holds(monkeypatch):
    monkeypatch.delenv(UNCONFINED, raising=False)
    everything = dict.fromkeys(ROWS, True)
    assert judge(everything).tier == judge({**everything, "namespace": False}).tier == "full"
    for name in set(ROWS) - EXTRA:
        found = judge({**everything, name: False})
        assert (found.tier, found.graphs_allowed) == ("partial", False)
    assert judge({"memory": True}).tier == judge({}).tier == "none"
    assert judge(everything).graphs_allowed
    monkeypatch.setenv(UNCONFINED, "allow")
    assert judge({}).graphs_allowed


def test_where_nothing_was_tried_it_says_so():
    assert all("not tried" in row.how and not row.holds for row in judge({}).rows)


def test_the_facts_are_json_and_tried_once(monkeypatch):
    calls = []
    monkeypatch.setattr(
        protections, "attempt", lambda confined: calls.append(confined) or dict.fromkeys(ROWS, True)
    )
    monkeypatch.setattr(sys, "platform", "linux")
    protections._tried.cache_clear()
    try:
        facts = protections.protections().facts()
        assert protections.protections().facts() == json.loads(json.dumps(facts)) == facts
        assert calls == [True]
        assert {"id", "title", "holds", "how"} == set(facts["rows"][0])
    finally:
        protections._tried.cache_clear()


def test_a_process_that_says_nothing_proves_nothing(monkeypatch):
    monkeypatch.setattr(protections, "BEGIN", "print('[')")
    assert not any(attempt(confined=True).values())
