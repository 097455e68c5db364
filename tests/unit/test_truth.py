"""The known floor beside the fitted one, on losses that lie on a law whose E is the entropy rate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scaling_core.lab import rules
from scaling_core.lab.batches import validation_set
from scaling_core.lab.corpus import load_corpus
from scaling_core.lab.oracle import OracleSpec, entropy_rate, true_losses
from scaling_core.lab.plan import make_plan
from scaling_core.lab.spec import CorpusSpec
from scaling_core.laws import ChinchillaLaw
from scaling_core.runs.results import fit_runs
from scaling_core.runs.store import Store
from scaling_core.runs.truth import truth_of
from tests.lab_helpers import calibration, register, small_plan

ORACLE = OracleSpec(tokens=200_000, validation_tokens=40_000)


def swept(home: Path, off: float) -> str:
    """A finished sweep on the oracle whose losses lie `off` above those of a law that ends at what its text allows."""
    corpus = CorpusSpec(kind="oracle", oracle=ORACLE)
    plan = make_plan(replace(small_plan().spec, corpus=corpus), calibration())
    text = load_corpus(corpus, home / "corpora")
    windows = rules.validation_windows(plan.spec.mode)
    held = validation_set(text.validation, context=plan.spec.context, windows=windows)
    law = ChinchillaLaw(E=float(true_losses(ORACLE, held).mean()) + off, A=60.0, B=80.0, alpha=0.5, beta=0.6)
    noise = np.random.default_rng(1)
    with Store.open_writer(home) as store:
        store.register_sweep(plan, text.to_dict(), {"device": "made up"}, 1, 1.0)
        for run in plan.runs:
            loss = float(law.loss(run.params, run.tokens)) + 0.002 * float(noise.standard_normal())
            store.finish_run(
                plan.spec.id, run.id, loss=loss, se=0.01, bits_per_byte=loss, seconds=1.0, tokens=run.tokens,
                unique_tokens=run.tokens,
            )  # fmt: skip
    return plan.spec.id


@pytest.mark.parametrize(("off", "within"), [(0.0, True), (0.2, False)])
def test_the_floor_is_held_against_the_entropy_rate(lab_home: Path, off: float, within: bool) -> None:
    entropy = entropy_rate(ORACLE)
    sweep = swept(lab_home, off)
    with Store.open_reader(lab_home) as store:
        row, runs = store.sweep(sweep), store.runs(sweep)
    assert row is not None
    fit = fit_runs(runs, bootstrap=100)
    truth = truth_of(row, fit, lab_home)
    assert truth is not None
    assert truth.entropy == entropy
    assert truth.within is within
    assert ("holds it" if within else "misses it") in truth.sentence
    assert abs(truth.text_floor - entropy) < 4 * truth.text_se
    luck = truth.text_floor - entropy
    assert truth.E == pytest.approx(fit.constants["E"] - luck)
    assert truth.E == pytest.approx(entropy + off, abs=0.1)
    assert (truth.low, truth.high) == pytest.approx([end - luck for end in fit.intervals["E"]])


def test_a_natural_text_has_no_known_floor(lab_home: Path) -> None:
    plan = small_plan()
    register(lab_home, plan)
    with Store.open_reader(lab_home) as store:
        row = store.sweep(plan.spec.id)
    sweep = swept(lab_home, 2.0)
    with Store.open_reader(lab_home) as store:
        runs = store.runs(sweep)
    assert row is not None
    assert truth_of(row, fit_runs(runs, bootstrap=20), lab_home) is None
