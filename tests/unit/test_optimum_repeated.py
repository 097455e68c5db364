"""Few unique tokens: the optimum against brute force, its ends, the wall, and what a further epoch is worth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from scaling_core.catalog import preset
from scaling_core.errors import InputError
from scaling_core.laws import MuennighoffLaw
from scaling_core.optimum import (
    compute_wall,
    data_limited,
    data_wall,
    epochs_curve,
    loss_limit,
    optimal_for_compute,
    optimal_for_loss,
    token_worth,
    wall_at_epochs,
    worthless_epochs,
)

PAPER = MuennighoffLaw(
    E=math.exp(0.6254804),
    A=math.exp(6.255414),
    B=math.exp(7.3049974),
    alpha=0.3526596,
    beta=0.3526596,
    R_N_star=5.309743,
    R_D_star=15.387756,
)
LAWS = {
    "paper": PAPER,
    "unequal": MuennighoffLaw(E=1.5, A=300.0, B=3000.0, alpha=0.31, beta=0.44, R_N_star=20.0, R_D_star=3.0),
    "steep": MuennighoffLaw(E=0.0, A=1e4, B=1e3, alpha=0.9, beta=0.15, R_N_star=0.2, R_D_star=200.0),
    "hardly any repetition": MuennighoffLaw(E=1.0, A=50.0, B=90.0, alpha=0.2, beta=0.2, R_N_star=1e4, R_D_star=0.01),
}
EVERY = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def brute(law: MuennighoffLaw, U: float, C: float) -> tuple[float, float]:
    """(ln N, loss) of least loss along C = 6 N D, by the law's own loss on a fine grid of all sizes, then a search."""
    span = math.log(C / 6.0)
    grid = np.linspace(0.0, span, 20_001)
    loss = law.loss(np.exp(grid), np.exp(span - grid), U)
    at = float(grid[int(np.argmin(loss))])
    step = span / 20_000
    found = minimize_scalar(
        lambda x: law.loss(math.exp(x), math.exp(span - x), U),
        bounds=(max(0.0, at - 2 * step), min(span, at + 2 * step)),
        method="bounded",
        options={"xatol": 1e-11},
    )
    return float(found.x), float(found.fun)


@EVERY
@pytest.mark.parametrize("C", [1e19, 1e21, 3e22, 1e24, 1e26])
def test_it_is_what_brute_force_finds(law: MuennighoffLaw, C: float) -> None:
    best = data_limited(law, U=3e10, C=C)
    log_N, loss = brute(law, 3e10, C)
    assert best.loss <= loss * (1 + 1e-14)
    assert best.loss == pytest.approx(loss, rel=1e-11)
    beside = law.loss(math.exp(log_N + 0.02), C / 6.0 * math.exp(-log_N - 0.02), 3e10)
    if beside > loss * (1 + 1e-10):  # elsewhere all sizes near it are as good as the best, to the last digits
        assert math.log(best.N) == pytest.approx(log_N, abs=1e-3)
    assert 6.0 * best.N * best.D == pytest.approx(C, rel=1e-11)


@EVERY
def test_it_is_stationary(law: MuennighoffLaw) -> None:
    for C in (1e22, 1e23, 1e24):
        best = data_limited(law, U=3e10, C=C)
        by_N, by_D = law.gradient(best.N, best.D, 3e10)
        assert float(by_N) == pytest.approx(float(by_D), rel=1e-7)


def test_the_record_adds_up() -> None:
    best = data_limited(PAPER, U=25e9, C=9.2e21)
    n, d = PAPER.effective(best.N, best.D, 25e9)
    assert (best.N_effective, best.D_effective) == pytest.approx((float(n), float(d)), rel=1e-12)
    assert best.epochs == best.D / 25e9
    assert best.loss == PAPER.loss(best.N, best.D, 25e9)
    assert best.unlimited == optimal_for_compute(PAPER, 9.2e21)
    assert best.loss_penalty == best.loss - best.unlimited.loss > 0
    assert optimal_for_loss(PAPER, best.loss).C == pytest.approx(best.compute_equivalent, rel=1e-9)
    assert best.N_effective < best.N
    assert best.D_effective < best.D


@EVERY
def test_enough_unique_data_change_nothing(law: MuennighoffLaw) -> None:
    free = optimal_for_compute(law, 1e21)
    for U in (free.D, 2.0 * free.D, 1e30):
        best = data_limited(law, U=U, C=1e21)
        assert (best.N, best.D, best.loss_penalty) == (free.N, free.D, 0.0)
        assert best.compute_equivalent == pytest.approx(1e21, rel=1e-10)
        assert best.epochs <= 1.0
    just = data_limited(law, U=free.D * (1 - 1e-6), C=1e21)
    assert just.N == pytest.approx(free.N, rel=1e-4)
    assert just.loss == pytest.approx(free.loss, rel=1e-9)


def test_the_best_size_lies_between_those_for_once_read_and_for_all_compute() -> None:
    for C in np.geomspace(1e22, 1e28, 13):
        best = data_limited(PAPER, U=1e11, C=float(C))
        assert PAPER.optimal_params_for(1e11) <= best.N <= C / (6 * 1e11)


def test_data_are_repeated_more_eagerly_than_the_model_grows() -> None:
    """Muennighoff et al. 2023, section 3: with few unique data epochs take the larger share of new compute."""
    one, other = (data_limited(PAPER, U=25e9, C=C) for C in (1e21, 1e23))
    assert other.epochs / one.epochs > other.N / one.N
    assert other.N < other.unlimited.N


@EVERY
def test_the_frontier_is_the_optimum_of_every_budget(law: MuennighoffLaw) -> None:
    budgets = np.geomspace(1e19, 1e26, 9)
    wall = data_wall(law, U=3e10, C=budgets)
    for k, C in enumerate(budgets):
        best = data_limited(law, U=3e10, C=float(C))
        assert (wall.N[k], wall.D[k], wall.loss[k]) == pytest.approx((best.N, best.D, best.loss), rel=1e-9)
        assert wall.unlimited_loss[k] == pytest.approx(best.unlimited.loss, rel=1e-12)
    assert wall.epochs == pytest.approx(wall.D / 3e10)
    assert (np.diff(wall.loss) <= 1e-15 * wall.loss[0]).all()
    assert (wall.loss >= wall.unlimited_loss * (1 - 1e-14)).all()
    assert (wall.loss >= loss_limit(law, 3e10) * (1 - 1e-14)).all()


@EVERY
def test_no_compute_goes_below_the_limit(law: MuennighoffLaw) -> None:
    limit = loss_limit(law, 3e10)
    assert law.loss(1e100, 1e100, 3e10) == pytest.approx(limit, rel=1e-12)
    assert data_limited(law, U=3e10, C=1e60).loss == pytest.approx(limit, rel=1e-12)
    assert loss_limit(law, 6e10) < limit


@EVERY
@pytest.mark.parametrize("within", [1e-4, 0.01, 0.3])
def test_where_compute_stops_helping(law: MuennighoffLaw, within: float) -> None:
    stop = compute_wall(law, 3e10, within=within)
    assert stop.loss == pytest.approx(loss_limit(law, 3e10) + within, abs=1e-9)
    sought = brentq(
        lambda x: data_limited(law, U=3e10, C=math.exp(x)).loss - loss_limit(law, 3e10) - within, 20.0, 130.0, xtol=1e-9
    )
    assert math.log(stop.C) == pytest.approx(float(sought), abs=1e-5)
    assert data_limited(law, U=3e10, C=stop.C * 1.01).loss < stop.loss < data_limited(law, U=3e10, C=stop.C / 1.01).loss


@EVERY
@pytest.mark.parametrize("share", [0.5, 0.1, 0.01, 1e-6])
def test_when_another_epoch_is_worthless(law: MuennighoffLaw, share: float) -> None:
    """At any size and any U the gain from one more epoch has fallen to `share` of that from the second."""
    e = worthless_epochs(law, share)
    for U, N in ((1e9, 1e7), (1e9, 1e8)):
        term = [law.terms(N, x * U, U)["D"] for x in (1.0, 2.0, e, e + 1.0)]
        first, there = float(term[0]) - float(term[1]), float(term[2]) - float(term[3])
        assert there == pytest.approx(share * first, rel=1e-6, abs=1e-12)
    assert 1.0 < e <= 1.0 + law.R_D_star * math.log(1.0 / share) + 1e-9
    assert worthless_epochs(law, share / 2) > e


def test_a_token_of_a_late_epoch() -> None:
    worth = token_worth(PAPER, np.array([0.3, 1.0, 4.0, 1.0 + PAPER.R_D_star]))
    assert worth == pytest.approx([1.0, 1.0, math.exp(-3.0 / PAPER.R_D_star), math.exp(-1.0)], rel=1e-14)
    h = 1e-3
    grown = float(PAPER.effective(1e9, (4.0 + h) * 1e9, 1e9)[1]) - float(PAPER.effective(1e9, (4.0 - h) * 1e9, 1e9)[1])
    assert grown / (2 * h * 1e9) == pytest.approx(worth[2], rel=1e-6)


@EVERY
def test_loss_against_epochs(law: MuennighoffLaw) -> None:
    curve = epochs_curve(law, U=1e10, N=1e9, epochs=np.array([0.25, 1.0, 4.0, 40.0, 1e6]))
    assert pytest.approx(curve.epochs * 1e10) == curve.D
    assert curve.loss == pytest.approx([law.loss(1e9, float(d), 1e10) for d in curve.D], rel=1e-14)
    assert curve.fresh_loss == pytest.approx([law.loss(1e9, float(d)) for d in curve.D], rel=1e-14)
    assert curve.loss[:2] == pytest.approx(curve.fresh_loss[:2], rel=1e-14)
    assert (curve.loss[2:] > curve.fresh_loss[2:]).all()
    assert (np.diff(curve.loss) <= 0).all()
    assert curve.loss[-1] == pytest.approx(curve.limit, rel=1e-12)


def test_refusals() -> None:
    for bad in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match=r"^unique tokens: got "):
            data_limited(PAPER, U=bad, C=1e22)
        with pytest.raises(InputError, match=r"^compute: got "):
            data_limited(PAPER, U=1e10, C=bad)
        with pytest.raises(InputError, match=r"^compute: got "):
            data_wall(PAPER, U=1e10, C=np.array([1e22, bad]))
        with pytest.raises(InputError, match=r"^epochs: got "):
            epochs_curve(PAPER, U=1e10, N=1e9, epochs=np.array([1.0, bad]))
        with pytest.raises(InputError, match=r"^params: got "):
            epochs_curve(PAPER, U=1e10, N=bad, epochs=np.array([1.0]))
        with pytest.raises(InputError, match=r"^within: got "):
            compute_wall(PAPER, 1e10, within=bad)
    for share in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(InputError, match=r"^share: got "):
            worthless_epochs(PAPER, share)
    with pytest.raises(InputError, match="it must be a law of repeated data"):
        data_limited(preset("hoffmann2022").joint, U=1e10, C=1e22)  # type: ignore[arg-type]  # the wrong law is the test


@EVERY
def test_the_budget_that_asks_for_so_many_epochs(law: MuennighoffLaw) -> None:
    epochs = np.array([0.1, 1.0, 1.5, 4.0, 30.0])
    wall = wall_at_epochs(law, U=3e10, epochs=epochs)
    assert wall.epochs == pytest.approx(epochs, rel=1e-12)
    for k, C in enumerate(wall.C.tolist()):
        best = data_limited(law, U=3e10, C=C)
        assert math.log(best.epochs / epochs[k]) == pytest.approx(0.0, abs=1e-6)
        assert best.loss == pytest.approx(float(wall.loss[k]), rel=1e-12)
    with pytest.raises(InputError, match=r"^epochs: got "):
        wall_at_epochs(law, U=3e10, epochs=np.array([0.0]))
