"""Every wrapper runs over every base, and over a wrapper again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from saliency_core.errors import SettingError
from saliency_core.grammar import parse
from saliency_core.methods.base import Method, Refining
from saliency_core.paths import is_slope
from saliency_core.probe import counted
from saliency_core.registry import table
from saliency_core.spec import Part, specs
from tests.analytic import SineProbe, points, weights

SHAPE = (5, 7, 3)
METHODS = [cls() for cls in table("method").values()]
WRAPPERS = [one for one in METHODS if isinstance(specs(one).get("base"), Part)]
SHARING = ("expected_gradients",)  # baselines are the same for all images of a batch
REFINING = [one for one in WRAPPERS if isinstance(one, Refining)]
every_wrapper = pytest.mark.parametrize("wrapper", WRAPPERS, ids=lambda one: one.id)


def short(method: Method, rounds: int = 2) -> Method:
    """Return the same method with few rounds, and so its base."""
    if isinstance(base := getattr(method, "base", None), Method):
        method = replace(method, base=short(base, rounds))
    if not isinstance(method, Refining) or not method.rounds:
        return method
    return replace(method, **{method.rounds: max(rounds, specs(method)[method.rounds].low)})


@every_wrapper
@pytest.mark.parametrize("base", METHODS, ids=lambda one: one.id)
def test_a_wrapper_runs_over_every_base(wrapper, base):
    """Finite maps of the base's shape or of regions, and no more points than declared.

    Fewer where all images of a batch need the same score. A base without slopes may be refused.
    """
    base = short(base)
    try:
        method = replace(short(wrapper), base=base)
    except SettingError:
        assert not is_slope(base)
        return
    probe = counted(SineProbe(weights(SHAPE), chunk=8))
    found = method.attribute(probe, points(1, SHAPE))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    if method.kind == base.kind:
        assert found.shape == base.attribute(SineProbe(weights(SHAPE)), points(1, SHAPE)).shape
    assert found.ndim == (3 if method.kind == "region" else base.attribute(probe.base, points(1, SHAPE)).ndim)
    assert probe.points <= method.cost_on(probe)
    assert probe.points == method.cost_on(probe) or base.id in SHARING
    assert parse("method", method.spelling) == method


@pytest.mark.parametrize("wrapper", REFINING, ids=lambda one: one.id)
@pytest.mark.parametrize("inner", REFINING, ids=lambda one: one.id)
def test_two_levels_deep_a_run_cut_in_the_middle_goes_on_to_the_same_bytes(wrapper, inner):
    try:
        method = replace(short(wrapper, 6), base=short(inner, 3))
    except SettingError:
        assert not is_slope(inner)
        return
    probe, batch = SineProbe(weights(SHAPE), chunk=8), points(1, SHAPE)
    sketches = list(method.sketches(probe, batch))
    *_, last = method.sketches(probe, batch, sketches[0])
    assert last.values.tobytes() == sketches[-1].values.tobytes()
