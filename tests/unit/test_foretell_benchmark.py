"""What benchmarks/foretell.py counts, on a planted ladder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.foretell import Ladder, errors, ladder_of, main, summary
from scaling_core.errors import ScalingError
from scaling_core.lab import rules
from scaling_core.lab.plan import make_plan
from scaling_core.lab.spec import CorpusSpec, SweepSpec
from scaling_core.runs.store import Store
from tests.lab_helpers import LAW, calibration, finish_runs, register


def ladder(noise: float) -> Ladder:
    """Four sizes at three horizons, and a fifth held out, with the same noise on every run."""
    N = np.repeat([2e6, 4e6, 8e6, 16e6, 32e6], 3)
    D = N * np.tile([10.0, 40.0, 160.0], 5)
    line = np.repeat(np.arange(5), 3)
    return Ladder(N=N, D=D, noise=np.full(15, noise), line=line, held=N == 32e6, law=LAW)


def test_without_noise_the_law_is_foretold() -> None:
    against_law, against_run = errors(ladder(1e-7), times=1, draws=3, shared=0.5)
    np.testing.assert_allclose(against_law, 0.0, atol=1e-4)
    np.testing.assert_allclose(against_run, 0.0, atol=1e-4)
    assert summary(against_law, against_run)["within"] == 1.0


def test_more_seeds_leave_less_error_and_a_single_run_keeps_its_own() -> None:
    once, _ = errors(ladder(5e-3), times=1, draws=24, shared=0.8)
    often, single = errors(ladder(5e-3), times=9, draws=24, shared=0.8)
    assert np.std(often) < 0.6 * np.std(once)
    assert np.std(single) > np.std(often)


PLAN = make_plan(
    SweepSpec(
        mode="smoke", device="cpu", corpus=CorpusSpec(), shapes=rules.ladder_shapes()[:4], horizons=(5.0, 10.0, 20.0),
        seeds=(2, 2, 1, 1),
    ),
    calibration(),
)  # fmt: skip


def test_the_noise_is_that_between_the_seeds_and_the_law_goes_through_the_held_out_runs(lab_home: Path) -> None:
    register(lab_home, PLAN)
    finish_runs(lab_home, PLAN, held_out=True)
    with Store.open_reader(lab_home) as store:
        runs = store.runs(PLAN.spec.id)
    with pytest.raises(ScalingError, match="several seeds"):
        ladder_of(runs)
    spread = {run.seed: 0.004 * sign for run, sign in zip(runs[:: len(PLAN.spec.horizons)], (1, -1), strict=False)}
    noisy = [replace(run, loss=(run.loss or 0.0) * (1 + spread.get(run.seed, 0.0))) for run in runs]
    found = ladder_of(noisy)
    assert found.held.sum() == len(PLAN.spec.horizons)
    assert len(set(found.line.tolist())) == 6
    assert found.noise[:12] == pytest.approx(0.004 * 2**0.5, rel=0.1)
    assert float(found.law.loss(1e7, 1e8)) == pytest.approx(float(LAW.loss(1e7, 1e8)), rel=0.05)


def test_a_sweep_that_is_not_there_is_said(lab_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register(lab_home, PLAN)
    assert main(["no-such-sweep", "--home", str(lab_home)]) == 2
    assert capsys.readouterr().err
