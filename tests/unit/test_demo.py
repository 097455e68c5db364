"""The synthetic demo: the same seed gives the same bytes, and what is planted is found again."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from scaling_core.catalog import DATA, preset
from scaling_core.demo import ISOFLOP_BUDGETS, MARKED, DemoResult, DemoSpec, make_runs, run_demo, to_json
from scaling_core.errors import InputError
from scaling_core.language import speaking
from scaling_core.laws import ChinchillaLaw


@pytest.fixture(scope="module")
def result() -> DemoResult:
    return run_demo(DemoSpec.of_preset())


def test_runs_are_the_law_times_noise() -> None:
    clean = make_runs(DemoSpec.of_preset(noise=0.0))
    assert clean.loss == pytest.approx(preset("hoffmann2022").joint.loss(clean.N, clean.D), rel=1e-15)
    noisy = make_runs(DemoSpec.of_preset(noise=0.02, n_sizes=20, n_horizons=20, seed=3))
    z = np.log(noisy.loss / preset("hoffmann2022").joint.loss(noisy.N, noisy.D)) / 0.02
    assert len(noisy) == 400
    assert abs(z.mean()) < 0.2
    assert z.std() == pytest.approx(1.0, abs=0.15)


def test_the_design_is_even_in_the_logarithms() -> None:
    points = make_runs(DemoSpec.of_preset(N_low=1e7, N_high=1e9, n_sizes=3, D_low=1e9, D_high=1e11, n_horizons=5))
    assert sorted(set(points.N)) == pytest.approx([1e7, 1e8, 1e9])
    assert np.diff(np.log(np.unique(points.D))) == pytest.approx(np.full(4, math.log(100) / 4))
    assert points.group is not None
    assert len(set(points.group)) == 3


def test_equal_seeds_give_equal_bytes_in_other_processes(result: DemoResult) -> None:
    code = (
        "import sys; from scaling_core.demo import DemoSpec, run_demo, to_json; "
        "sys.stdout.write(to_json(run_demo(DemoSpec.of_preset())))"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=DATA.parent, timeout=60
    ).stdout
    assert other == to_json(result).encode()


def test_other_seeds_give_other_runs(result: DemoResult) -> None:
    other = run_demo(DemoSpec.of_preset(seed=1), bootstrap=0)
    assert not np.array_equal(other.points.loss, result.points.loss)
    assert to_json(other) != to_json(result)


@pytest.mark.parametrize("id", ["hoffmann2022", "besiroglu2024", "study-notes", "talk-slides"])
def test_without_noise_the_planted_law_is_found(id: str) -> None:
    found = run_demo(DemoSpec.of_preset(id, noise=0.0), bootstrap=0)
    for name, planted in preset(id).law.constants.items():
        assert found.recovery[name].fitted == pytest.approx(planted, rel=1e-6), name


def test_with_noise_it_is_found_within_its_interval(result: DemoResult) -> None:
    assert set(result.recovery) == {"E", "A", "B", "alpha", "beta"}
    assert sum(r.inside for r in result.recovery.values()) >= 4
    for r in result.recovery.values():
        assert r.low < r.fitted < r.high
        assert r.fitted == pytest.approx(r.planted, rel=0.3)


def test_slices_hold_the_other_variable_at_its_largest(result: DemoResult) -> None:
    law = result.spec.law
    for s, other in ((result.single_N, result.points.D), (result.single_D, result.points.N)):
        assert s.held == other.max()
        assert len(s.x) == len(s.loss) == (7 if s.variable == "N" else 8)
        curve = law.loss(s.grid, s.held) if s.variable == "N" else law.loss(s.held, s.grid)
        assert s.planted == pytest.approx(curve, rel=1e-14)
        assert (s.low <= s.fitted + 1e-9).all()
        assert (s.fitted <= s.high + 1e-9).all()
        assert s.grid[0] < s.x.min()
        assert s.grid[-1] > s.x.max()
        assert np.abs(np.log(s.loss / np.interp(s.x, s.grid, s.planted))).max() < 0.03


def test_published_curves_are_labelled_for_what_they_are(result: DemoResult) -> None:
    (kaplan_n,) = result.single_N.references
    kaplan_d, hestness = result.single_D.references
    assert not kaplan_n.anchored
    assert not kaplan_d.anchored
    assert kaplan_n.loss[0] == pytest.approx((8.8e13 / result.single_N.grid[0]) ** 0.076, rel=1e-12)
    assert kaplan_d.loss[-1] == pytest.approx((5.4e13 / result.single_D.grid[-1]) ** 0.095, rel=1e-12)
    assert hestness.anchored
    assert "amplitude anchored" in hestness.label
    slope = np.diff(np.log(hestness.loss)) / np.diff(np.log(result.single_D.grid))
    assert slope == pytest.approx(np.full(slope.size, -0.066), rel=1e-9)
    middle = math.sqrt(result.spec.D_low * result.spec.D_high)
    planted = result.spec.law.loss(result.single_D.held, middle)
    assert np.interp(math.log(middle), np.log(result.single_D.grid), hestness.loss) == pytest.approx(planted, rel=1e-3)


def test_isoflop_curves_and_known_models(result: DemoResult) -> None:
    assert tuple(i.C for i in result.isoflop) == ISOFLOP_BUDGETS == (1e19, 1e20, 1e21, 1e22, 1e23)
    for i in result.isoflop:
        assert 6.0 * i.N * i.D == pytest.approx(np.full(i.N.size, i.C), rel=1e-12)
        assert i.planted.min() == pytest.approx(i.optimum.loss, rel=1e-4)
        assert i.planted.min() >= i.optimum.loss * (1 - 1e-14)
        assert i.twenty.D == 20.0 * i.twenty.N
        assert i.twenty.loss >= i.optimum.loss
        assert i.fitted_optimum.N == pytest.approx(i.optimum.N, rel=0.5)
    assert [m.id for m in result.models] == list(MARKED)
    assert {m.id: m.status for m in result.models}["gpt3"] == "under-trained"


def test_json_is_strict_and_has_no_clock(result: DemoResult) -> None:
    def refuse(text: str) -> Any:
        raise AssertionError(text)

    text = to_json(result)
    with speaking("zh"):
        assert to_json(result) == text
    tree = json.loads(text, parse_constant=refuse)
    assert "seconds" not in text
    assert tree["spec"]["preset_id"] == "hoffmann2022"
    assert len(tree["runs"]) == 56
    assert tree["planted"]["constants"] == preset("hoffmann2022").law.constants
    bare = json.loads(to_json(run_demo(DemoSpec.of_preset(), bootstrap=0)), parse_constant=refuse)
    assert bare["recovery"]["E"]["interval"] is None


def test_a_law_of_another_form_has_nothing_to_recover() -> None:
    kaplan = run_demo(DemoSpec.of_preset("kaplan2020-joint"), bootstrap=0)
    assert kaplan.recovery == {}
    assert isinstance(kaplan.fit.law, ChinchillaLaw)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"N_low": 0.0}, "smallest size"),
        ({"N_high": math.nan}, "largest size"),
        ({"N_low": 1e10}, "largest size"),
        ({"D_low": -1.0}, "smallest horizon"),
        ({"D_high": 1e16}, "largest horizon"),
        ({"D_low": 2e11}, "largest horizon"),
        ({"n_sizes": 1}, "sizes"),
        ({"n_horizons": 2.5}, "horizons"),
        ({"noise": 0.6}, "noise"),
        ({"noise": math.nan}, "noise"),
        ({"seed": -1}, "seed"),
    ],
)
def test_a_spec_cannot_be_built_wrong(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError, match=f"^{field}: got "):
        DemoSpec.of_preset(**change)


def test_only_laws_in_both_variables_can_be_planted() -> None:
    with pytest.raises(InputError, match="in N alone"):
        DemoSpec.of_preset("kaplan2020-n")
