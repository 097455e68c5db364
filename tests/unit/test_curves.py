"""Extrapolation of learning curves: planted ones are recovered and covered; what cannot be foretold is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import multivariate_normal, norm

from scaling_core.arrays import FloatArray
from scaling_core.curves import Cooled, Drop, Extrapolation, LearningCurve, Schedule, certain, drops, extrapolate
from scaling_core.curves.drops import LINE_SD, MEAN_SD, NOISE, SLOPE_SD, believe
from scaling_core.curves.extrapolate import mixture_quantile
from scaling_core.curves.families import FAMILIES, annealed_tokens, annealing_shares
from scaling_core.curves.trunk import LEAST_POINTS, fit_trunk
from scaling_core.errors import FitError, InputError
from scaling_core.lab.rules import schedule as rate_of_step

PEAK, WARMUP = 5e-3, 20
"""Of the planted runs, in which a token is a step."""
GAIN, DISTANCE = 0.06, 0.03
DROP = DISTANCE - GAIN
END = Schedule(decay_from=800.0, final_tokens=1000.0)


def power(t: FloatArray) -> FloatArray:
    """The planted trunk: from 4.6 at step 1 to 2.2 at step 1000."""
    return np.asarray(1.2 + 4.4 * (t + 30.0) ** -0.22)


def exponential(t: FloatArray) -> FloatArray:
    """One that levels off."""
    return np.asarray(2.0 + 1.5 * np.exp(-((t / 200.0) ** 0.6)))


Law = Callable[[FloatArray], FloatArray]


def planted(
    seed: int, upto: int, *, noise: float = 0.03, trunk: Law = power, ends: bool = True, cooling: bool = True
) -> LearningCurve:
    """What is seen of END's run, or of its trunk alone, at step `upto`: means over five steps with white noise."""
    rng = np.random.default_rng(seed)
    steps = np.arange(1.0, upto + 1.0)
    cools = {"decay_from": 800, "steps": 1000} if cooling else {}
    rates = np.array([rate_of_step(int(s) - 1, peak=PEAK, warmup=WARMUP, **cools) for s in steps])
    losses = trunk(steps) * (1.0 - GAIN * annealing_shares(END.share(steps), 0.3) * cooling)
    losses = losses * np.exp(noise * rng.standard_normal(steps.size))
    end = Cooled(tokens=500.0, loss=truth(500.0, trunk) * math.exp(0.004 * rng.standard_normal()))
    return LearningCurve(
        tokens=steps[4::5],
        losses=losses.reshape(-1, 5).mean(axis=1),
        rates=rates[4::5],
        cooled=(end,) if ends else (),
    )


def truth(tokens: float, law: Law = power) -> float:
    """The planted validation loss of a run cooled at `tokens`."""
    return float(law(np.array([tokens]))[0]) * math.exp(DROP)


def others(seed: int) -> tuple[Drop, ...]:
    """Ends of two other lines, whose drop is the same within the spread between lines."""
    rng = np.random.default_rng(1000 + seed)
    found = []
    for line in ("r0", "r1"):
        own = LINE_SD * rng.standard_normal()
        found += [
            Drop(line=line, tokens=t, drop=DROP + own + NOISE * rng.standard_normal(), se=0.003) for t in (250.0, 500.0)
        ]
    return tuple(found)


@pytest.mark.parametrize(
    ("law", "upto", "error"),
    [(power, 450, 0.02), (power, 800, 0.01), (exponential, 450, 0.035), (exponential, 800, 0.015)],
)
def test_planted_ends_are_foretold_and_covered_at_about_the_level(law: Law, upto: int, error: float) -> None:
    seeds = range(40)
    found = [extrapolate(planted(s, upto, trunk=law), schedule=END, evidence=others(s)) for s in seeds]
    true = truth(1000.0, law)
    errors = np.array([one.loss / true - 1.0 for one in found])
    assert np.median(np.abs(errors)) < error
    covered = sum(one.low <= true <= one.high for one in found)
    assert covered >= 35, "of 40 at 95%, where 34 or fewer come once in a hundred"
    assert max(one.half_width for one in found) < 0.12, "an interval that holds everything says nothing"


def test_the_interval_at_a_lower_level_lies_within_and_misses_at_times() -> None:
    misses = 0
    for seed in range(40):
        curve = planted(seed, 450)
        wide, narrow = (extrapolate(curve, schedule=END, evidence=others(seed), level=level) for level in (0.95, 0.55))
        assert wide.low < narrow.low < narrow.loss < narrow.high < wide.high
        assert narrow.loss == wide.loss
        misses += not narrow.low <= truth(1000.0) <= narrow.high
    assert 3 <= misses <= 25


def test_the_interval_narrows_as_more_is_seen_and_a_note_says_what_was() -> None:
    widths = [
        float(np.median([extrapolate(planted(s, n), schedule=END, evidence=others(s)).half_width for s in range(8)]))
        for n in (200, 450, 800, 950)
    ]
    assert widths == sorted(widths, reverse=True)
    told = extrapolate(planted(0, 800), schedule=END, evidence=others(0))
    assert told.seen == 0.8
    assert told.note.startswith("After 80% of its 1K tokens the run is foretold to end at 2.")
    assert told.note.endswith("What cooling gains: from 1 shorter run of its trunk and 4 ends of other lines.")
    assert set(told.families) == set(FAMILIES)
    assert sum(told.families.values()) == pytest.approx(1.0)


def test_without_any_measured_cooling_the_interval_is_wide_and_says_so() -> None:
    blind = extrapolate(planted(1, 800, ends=False), schedule=END)
    told = extrapolate(planted(1, 800), schedule=END, evidence=others(1))
    assert blind.half_width > 2.0 * told.half_width
    assert blind.low < truth(1000.0) < blind.high
    assert "no measurement, so the interval is wide" in blind.note


def test_a_censored_end_is_no_evidence() -> None:
    curve = planted(2, 800, ends=False)
    wrong = Cooled(tokens=500.0, loss=9.0, censored=True)
    assert extrapolate(replace(curve, cooled=(wrong,)), schedule=END) == extrapolate(curve, schedule=END)
    assert drops("r9", replace(curve, cooled=(wrong,))) == ()


def test_what_is_seen_of_the_cooldown_tells_its_gain() -> None:
    before = [extrapolate(planted(s, 800, ends=False), schedule=END) for s in range(12)]
    during = [extrapolate(planted(s, 980, ends=False), schedule=END) for s in range(12)]
    assert np.median([b.half_width / d.half_width for b, d in zip(before, during, strict=True)]) > 1.2
    none = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        curve = planted(seed, 980, ends=False)
        flat = np.where(curve.cooling, power(curve.tokens) * np.exp(0.015 * rng.standard_normal()), curve.losses)
        none.append(extrapolate(replace(curve, losses=flat), schedule=END).loss)
    assert np.mean(none) > 1.01 * np.mean([one.loss for one in during]), "a cooldown that gains nothing ends higher"


def test_a_worse_line_is_foretold_higher_by_its_own_shorter_run() -> None:
    curve = planted(3, 800)
    end = curve.cooled[0]
    lifted = replace(curve, cooled=(replace(end, loss=1.02 * end.loss),))
    ratio = extrapolate(lifted, schedule=END).loss / extrapolate(curve, schedule=END).loss
    assert 1.008 < ratio < 1.02


def test_certain_compares_half_the_interval_with_the_tolerance() -> None:
    one = Extrapolation(loss=2.0, low=1.96, high=2.04, level=0.95, families={}, seen=0.5, note="")
    assert one.half_width == pytest.approx(0.02)
    assert certain(one, 0.0201)
    assert not certain(one, 0.0199)
    for wrong in (0.0, 1.0, -0.01, math.nan):
        with pytest.raises(InputError, match="tolerance"):
            certain(one, wrong)


def test_too_short_too_far_or_flat_is_refused_in_a_sentence() -> None:
    with pytest.raises(FitError, match=r"has 0 points after the warm-up, and extrapolating takes 16: train on\."):
        extrapolate(LearningCurve.of([10.0], [4.0], [PEAK]), schedule=END)
    with pytest.raises(FitError, match="has 0 points"):
        extrapolate(LearningCurve.of([], [], []), schedule=END)
    with pytest.raises(FitError, match=f"takes {LEAST_POINTS}"):
        extrapolate(planted(0, 100), schedule=END)
    far = Schedule(decay_from=4000.0, final_tokens=5000.0)
    with pytest.raises(FitError, match="more than 8 times the 600 seen: train on"):
        extrapolate(planted(0, 600), schedule=far)
    curve = planted(0, 800)
    flat = replace(curve, losses=2.0 + 0.01 * np.sin(np.arange(curve.tokens.size)))
    with pytest.raises(FitError, match="does not fall beyond its noise"):
        extrapolate(flat, schedule=END)
    with pytest.raises(FitError, match="does not fall"):
        extrapolate(replace(curve, losses=curve.losses[::-1].copy()), schedule=END)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_a_value_that_no_curve_has_is_refused(bad: float) -> None:
    good = {"tokens": [1.0, 2.0, 3.0, 4.0], "losses": [2.0] * 4, "rates": [PEAK] * 4}
    for name in good:
        columns = {**good, name: [*good[name][:2], bad, good[name][3]]}
        with pytest.raises(InputError, match=f"{name}: got .*, but every value"):
            LearningCurve.of(columns["tokens"], columns["losses"], columns["rates"])
    with pytest.raises(InputError, match="cooled loss"):
        Cooled(tokens=1.0, loss=bad)
    with pytest.raises(InputError, match="final_tokens"):
        Schedule(decay_from=1.0, final_tokens=bad)


def test_curves_out_of_order_or_of_unequal_length_are_refused_and_lost_points_left_out() -> None:
    with pytest.raises(InputError, match=r"tokens: got 2\.0, but the tokens of a learning curve must grow"):
        LearningCurve.of([1.0, 3.0, 2.0], [3.0, 2.0, 2.0], [PEAK] * 3)
    with pytest.raises(InputError, match="lists of the same length"):
        LearningCurve(tokens=np.ones(1), losses=np.ones(2), rates=np.ones(1))
    with pytest.raises(InputError, match="it must lie before the end"):
        Schedule(decay_from=10.0, final_tokens=10.0)
    with pytest.raises(InputError, match="level"):
        extrapolate(planted(0, 800), schedule=END, level=0.9999)
    curve = LearningCurve.of([1.0, 2.0, 3.0], [3.0, None, 2.0], [PEAK] * 3)
    assert curve.tokens.tolist() == [1.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        curve.losses[0] = 1.0


def test_a_curve_knows_its_warm_up_its_cooldown_and_its_past() -> None:
    curve = planted(0, 900)
    assert curve.warmup == 20.0
    assert curve.tokens[curve.cooling].tolist() == list(range(805, 905, 5))
    past = curve.until(450.0)
    assert (past.seen, past.cooled) == (450.0, ())
    assert curve.until(500.0).cooled == curve.cooled


def test_the_area_under_the_rate_is_that_of_the_labs_schedule() -> None:
    steps = 4000
    end = Schedule(decay_from=3200.0, final_tokens=4000.0)
    rates = [rate_of_step(s, peak=1.0, warmup=100, decay_from=3200, steps=steps) for s in range(steps)]
    for at in (150, 3200, 3500, 4000):
        told = float(annealed_tokens(np.array([float(at)]), warmup=100.0, schedule=end)[0])
        assert told == pytest.approx(math.fsum(rates[:at]), abs=1.5)


@pytest.mark.parametrize("memory", [0.02, 0.3, 5.0])
def test_the_annealing_area_is_the_double_sum_of_the_paper(memory: float) -> None:
    n = 400
    rates = [1.0 - math.sqrt(i / n) for i in range(n + 1)]
    keep = math.exp(-1.0 / (memory * n))
    area = [0.0]
    for i in range(1, n + 1):
        area.append(area[-1] + sum((rates[k - 1] - rates[k]) * keep ** (i - k) for k in range(1, i + 1)))
    shares = np.array([0.0, 0.25, 0.5, 1.0])
    wanted = np.array([area[round(share * n)] for share in shares]) / area[-1]
    assert annealing_shares(shares, memory) == pytest.approx(wanted, abs=1e-9)
    assert annealing_shares(np.array([0.25]), 1e-4) == pytest.approx(0.5, abs=1e-3), "1 - rate / peak = sqrt(share)"


def test_the_smoothed_trunk_lies_within_its_standard_error_of_the_planted_one() -> None:
    at = np.array([150.0, 400.0, 780.0])
    scores = []
    for seed in range(20):
        value, se = fit_trunk(planted(seed, 800), horizon=800.0).smooth(at)
        scores.append((value / (power(at - 2.0)) - 1.0) / se)
    assert float(np.sqrt(np.mean(np.square(scores)))) == pytest.approx(1.0, abs=0.45)


def test_a_shapes_posterior_and_likelihood_are_those_of_the_whole_normal_model() -> None:
    trunk = fit_trunk(planted(5, 300), horizon=300.0)
    phi, y, n = trunk.shapes.at, trunk.y, trunk.y.size
    logs = {}
    for g in (3, 4, 34, 141):
        design = np.stack([np.ones(n), phi[g]], axis=1)
        believed = np.array([trunk.shapes.floor[g, 0] * y.min(), 0.0])
        prior = np.diag([trunk.shapes.floor[g, 1] * y.min(), 3.0 * y.min()]) ** 2
        whole = design @ prior @ design.T + trunk.sigma**2 * np.eye(n)
        gain = prior @ design.T @ np.linalg.inv(whole)
        assert trunk.mean[g] == pytest.approx(believed + gain @ (y - design @ believed), rel=1e-5, abs=1e-7)
        assert trunk.covariance[g] == pytest.approx(prior - gain @ design @ prior, rel=1e-3, abs=1e-9)
        logs[g] = multivariate_normal.logpdf(y, design @ believed, whole)
    assert trunk.shapes.family[3] == trunk.shapes.family[34], "weights within a family are likelihoods"
    told = trunk.log_weights[3] - trunk.log_weights[34]
    assert told == pytest.approx(logs[3] - logs[34], rel=1e-5, abs=1e-6)


def test_the_belief_about_a_drop_is_the_joint_normal_conditioned_by_hand() -> None:
    told = (
        Drop(line="r0", tokens=100.0, drop=-0.01, se=0.004),
        Drop(line="r0", tokens=200.0, drop=-0.03),
        Drop(line="r1", tokens=400.0, drop=-0.05, se=0.01),
    )
    # unknowns: mean, slope, own effects of r0, r1 and the line asked about
    prior = np.diag([MEAN_SD, SLOPE_SD, LINE_SD, LINE_SD, LINE_SD]) ** 2
    x = np.log(np.array([100.0, 200.0, 400.0]) / 300.0)
    design = np.array([[1, x[0], 1, 0, 0], [1, x[1], 1, 0, 0], [1, x[2], 0, 1, 0]])
    noise = np.diag([NOISE**2 + 0.004**2, NOISE**2, NOISE**2 + 0.01**2])
    start = np.array([-0.03, -0.015, 0, 0, 0])
    gain = prior @ design.T @ np.linalg.inv(design @ prior @ design.T + noise)
    mean = start + gain @ (np.array([-0.01, -0.03, -0.05]) - design @ start)
    covariance = prior - gain @ design @ prior
    for line, own in ((None, 4), ("r1", 3)):
        pick = np.zeros((2, 5))
        pick[0, 0] = pick[0, own] = pick[1, 1] = 1.0
        belief = believe(told, at=300.0, line=line)
        assert belief.mean == pytest.approx(pick @ mean)
        assert belief.covariance == pytest.approx(pick @ covariance @ pick.T)
    assert believe((), at=300.0).mean == pytest.approx(start[:2])


def test_drops_of_a_finished_line_are_the_planted_one() -> None:
    found = [drops("r3", planted(seed, 800, cooling=False))[0] for seed in range(20)]
    assert {one.line for one in found} == {"r3"}
    assert np.mean([one.drop for one in found]) == pytest.approx(DROP, abs=0.006)
    assert drops("r3", planted(0, 800, ends=False)) == ()


def test_a_quantile_of_a_mixture_is_where_its_distribution_says() -> None:
    mean, sd, weights = np.array([0.0, 1.0, 5.0]), np.array([1.0, 0.2, 2.0]), np.array([0.5, 0.3, 0.2])
    for share in (0.025, 0.5, 0.975):
        exact = brentq(lambda x: float(weights @ norm.cdf(x, mean, sd)) - share, -20.0, 20.0)  # noqa: B023 # used at once
        assert mixture_quantile(mean, sd, weights, share) == pytest.approx(exact, abs=1e-9)
