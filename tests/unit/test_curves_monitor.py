"""The monitor on curves planted on a law, above it and below it, over seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaling_core.curves import Cooled, Drop, LearningCurve, Standing, where
from scaling_core.errors import InputError
from scaling_core.fit import FitResult, RunPoints, fit_law
from scaling_core.laws import ChinchillaLaw

LAW = ChinchillaLaw(E=1.2, A=60.0, B=60.0, alpha=0.40, beta=0.36)
DROP = -0.03
N = 120_000
WARMUP = 60_000.0


@pytest.fixture(scope="module")
def fitted() -> FitResult:
    """The law through 15 smaller runs with 0.5% noise."""
    sizes, ratios = np.meshgrid([8e3, 14e3, 24e3, 40e3, 70e3], [5.0, 10.0, 20.0])
    n, d = sizes.ravel(), (sizes * ratios).ravel()
    loss = LAW.loss(n, d) * np.exp(0.005 * np.random.default_rng(0).standard_normal(n.size))
    return fit_law(RunPoints.of(N=n, D=d, loss=loss), bootstrap=100)


EVIDENCE = tuple(
    Drop(line=f"r{i}", tokens=t, drop=DROP + x, se=0.003)
    for i, (t, x) in enumerate([(1e5, 0.004), (2e5, -0.006), (4e5, 0.005), (8e5, -0.002)])
)


def planted(seed: int, tokens: float, *, lift: float = 0.0, noise: float = 0.04) -> LearningCurve:
    """A trunk on the law, lifted by a share, seen up to `tokens`: 2.4M are 200 points."""
    rng = np.random.default_rng(seed)
    t = np.arange(12_000.0, tokens + 1.0, 12_000.0)
    loss = LAW.loss(float(N), t) * math.exp(-DROP) * (1.0 + lift) * np.exp(noise * rng.standard_normal(t.size))
    loss = np.where(t < WARMUP, 5.5 - 1.5 * t / WARMUP, loss)
    return LearningCurve(tokens=t, losses=loss, rates=5e-3 * np.minimum(1.0, t / WARMUP))


def ask(fitted: FitResult, curve: LearningCurve) -> Standing:
    return where(fitted, N, curve, evidence=EVIDENCE)


def test_a_curve_on_the_law_is_seldom_called_off_it(fitted: FitResult) -> None:
    called = 0
    for seed in range(25):
        curve = planted(seed, 2.4e6)
        verdicts = {ask(fitted, curve.until(tokens)).verdict for tokens in np.linspace(9.6e5, 2.4e6, 5)}
        assert verdicts <= {"on", "above", "below"}
        called += bool(verdicts - {"on"})
    assert called <= 3, "asked five times each, at 95%"


@pytest.mark.parametrize(("lift", "verdict"), [(0.12, "above"), (-0.12, "below")])
def test_a_curve_off_the_law_is_called_so_with_its_numbers(fitted: FitResult, lift: float, verdict: str) -> None:
    found = [ask(fitted, planted(seed, 1.5e6, lift=lift)) for seed in range(12)]
    assert sum(one.verdict == verdict for one in found) >= 10
    one = next(one for one in found if one.verdict == verdict)
    assert one.excess == pytest.approx(lift, abs=0.05)
    assert one.low < one.expected < one.high
    assert (one.loss > one.high) if lift > 0 else (one.loss < one.low)
    assert one.sentence.startswith("Around 1.3")
    assert f"that the law of {fitted.n} runs expects there (between " in one.sentence
    assert one.sentence.endswith(f"{abs(one.excess):.1%} {verdict} the law, more than its interval allows.")


def test_the_warm_up_and_what_the_law_never_saw_raise_no_alarm(fitted: FitResult) -> None:
    """Its training loss is 5 nats there, far above any law; the law was fitted from 5 tokens a parameter on."""
    whole = planted(0, 2.4e6, lift=0.5)
    for tokens in (12_000.0, 48_000.0, 300_000.0, 900_000.0):
        found = ask(fitted, whole.until(tokens))
        assert found.verdict == "early"
        assert math.isnan(found.excess)
        assert found.sentence.startswith("Too early to say whether the run is on the law: it has seen ")
    assert ask(fitted, whole.until(960_000.0)).verdict == "above"
    nothing = ask(fitted, LearningCurve.of([], [], []))
    assert (nothing.verdict, nothing.tokens) == ("early", 0.0)


def test_a_curve_that_stands_still_or_rises_far_above_the_law_is_called(fitted: FitResult) -> None:
    curve = planted(0, 1.5e6)
    for still in (3.5 + 0.0 * curve.losses, 3.0 + 1e-6 * curve.tokens):
        found = ask(fitted, LearningCurve(tokens=curve.tokens, losses=still, rates=curve.rates))
        assert found.verdict == "above"
        assert found.loss == pytest.approx(np.interp(found.tokens, curve.tokens, still), rel=0.001)


def test_too_few_points_are_too_early(fitted: FitResult) -> None:
    curve = planted(0, 1.5e6)
    few = LearningCurve(tokens=curve.tokens[::10], losses=curve.losses[::10], rates=curve.rates[::10])
    assert ask(fitted, few).sentence.endswith("its curve has too few points to be averaged.")


def test_one_window_off_the_law_is_no_alarm(fitted: FitResult) -> None:
    """A curve that has just left the law is called once it has stayed away from it."""
    curve = planted(1, 1.5e6)
    late = np.where(curve.tokens > 1.22e6, 1.6, 1.0)
    left = LearningCurve(tokens=curve.tokens, losses=curve.losses * late, rates=curve.rates)
    found = ask(fitted, left)
    assert found.loss > found.high
    assert found.verdict == "on"
    assert found.sentence.endswith("it has left the law's interval only now.")
    curve = planted(1, 2.4e6)
    late = np.where(curve.tokens > 1.22e6, 1.6, 1.0)
    assert ask(fitted, LearningCurve(tokens=curve.tokens, losses=curve.losses * late, rates=curve.rates)).verdict == (
        "above"
    )


def test_the_lines_own_cooled_end_tells_its_drop(fitted: FitResult) -> None:
    """A line whose cooling gains 3% more has a trunk 3% above the others' at the same place on the law."""
    curve = planted(2, 1.5e6, lift=0.04)
    own = Cooled(tokens=6e5, loss=float(LAW.loss(float(N), 6e5)))
    told = LearningCurve(tokens=curve.tokens, losses=curve.losses, rates=curve.rates, cooled=(own,))
    assert ask(fitted, told).excess < ask(fitted, curve).excess - 0.01


def test_a_level_that_is_none_is_refused(fitted: FitResult) -> None:
    with pytest.raises(InputError, match="level"):
        where(fitted, N, planted(0, 1e6), level=0.2)
