"""The law forms: values, terms, gradients, refusals, and the same formula evaluated by Vega itself."""

from __future__ import annotations

import json
import math
import re
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import vl_convert

from scaling_core.errors import InputError
from scaling_core.laws import (
    FORMS,
    AnyLaw,
    ChinchillaLaw,
    GadreLaw,
    KaplanJointLaw,
    Law,
    MuennighoffLaw,
    PowerLaw,
    as_chinchilla,
    form_of,
    law_from_constants,
)

CHINCHILLA = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
KAPLAN = KaplanJointLaw(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103)
GADRE = GadreLaw(E=1.5, a=100.0, b=200.0, eta=0.25)
MUENNIGHOFF = MuennighoffLaw(E=1.87, A=500.0, B=1500.0, alpha=0.35, beta=0.30, R_N_star=5.0, R_D_star=15.0)
POWER = PowerLaw(variable="D", scale=5.4e13, exponent=0.095, offset=0.5)
JOINT: list[Law] = [CHINCHILLA, KAPLAN, GADRE, MUENNIGHOFF]
FORM_NAMES = [law.form for law in JOINT]


def test_chinchilla_by_hand() -> None:
    # 1e10^-0.34 = 10^-3.4 and 1e11^-0.28 = 10^-3.08
    assert CHINCHILLA.loss(1e10, 1e11) == pytest.approx(1.69 + 406.4 * 10**-3.4 + 410.7 * 10**-3.08, rel=1e-14)
    assert CHINCHILLA.terms(1e10, 1e11) == pytest.approx(
        {"E": 1.69, "N": 406.4 * 10**-3.4, "D": 410.7 * 10**-3.08}, rel=1e-13
    )
    assert CHINCHILLA.floor == 1.69


def test_kaplan_limits_are_its_own_power_laws() -> None:
    """With endless data the joint form is (N_c/N)^alpha_N, with an endless model (D_c/D)^alpha_D."""
    assert KAPLAN.loss(1e9, 1e40) == pytest.approx((6.4e13 / 1e9) ** 0.076, rel=1e-12)
    assert KAPLAN.loss(1e40, 1e10) == pytest.approx((1.8e13 / 1e10) ** 0.103, rel=1e-12)
    assert KAPLAN.floor == 0.0


def test_kaplan_terms_are_shares_of_the_bracket() -> None:
    terms = KAPLAN.terms(1e9, 1e10)
    n, d = (6.4e13 / 1e9) ** (0.076 / 0.103), 1.8e13 / 1e10
    assert float(terms["N"]) / float(terms["D"]) == pytest.approx(n / d, rel=1e-12)
    assert terms["E"] == 0.0
    assert sum(float(value) for value in terms.values()) == pytest.approx(KAPLAN.loss(1e9, 1e10), rel=1e-14)


def test_gadre_by_hand() -> None:
    # N = 1e8, M = 1e2: N^-0.25 = 1e-2, (M N)^-0.25 = 10^-2.5
    assert GADRE.loss(1e8, 1e10) == pytest.approx(1.5 + 1.0 + 200 * 6**-0.125 * 10**-2.5, rel=1e-14)
    assert GADRE.terms(1e8, 1e10)["N"] == pytest.approx(1.0, rel=1e-13)
    assert GADRE.floor == 1.5


def test_gadre_is_a_chinchilla_law_and_a_power_law_of_compute() -> None:
    """In the paper's own form, L = E + (a' M^e + b M^-e) C^-e with M = D / N and C = 6 N D."""
    c = GADRE.printed
    N, D = np.geomspace(1e6, 1e12, 7)[:, None], np.geomspace(1e8, 1e13, 5)
    M, C = D / N, 6 * N * D
    own = c["E"] + (c["a"] * M ** c["eta"] + c["b"] * M ** -c["eta"]) * C ** -c["eta"]
    assert GADRE.loss(N, D) == pytest.approx(own, rel=1e-13)
    assert GADRE.loss(N, D) == pytest.approx(GADRE.chinchilla.loss(N, D), rel=1e-15)
    assert GADRE.chinchilla.alpha == GADRE.chinchilla.beta == GADRE.eta


def test_muennighoff_by_hand() -> None:
    """2e9 unique tokens seen four times by a model five times the size that they call for."""
    N_U = MUENNIGHOFF.optimal_params_for(2e9)
    N, D = MUENNIGHOFF.effective(5 * N_U, 8e9, 2e9)
    assert D == pytest.approx(2e9 * (1 + 15 * (1 - math.exp(-3 / 15))), rel=1e-14)
    assert N == pytest.approx(N_U * (1 + 5 * (1 - math.exp(-4 / 5))), rel=1e-14)
    expected = 1.87 + 500 * float(N) ** -0.35 + 1500 * float(D) ** -0.30
    assert MUENNIGHOFF.loss(5 * N_U, 8e9, 2e9) == pytest.approx(expected, rel=1e-14)
    terms = MUENNIGHOFF.terms(5 * N_U, 8e9, 2e9)
    assert sum(float(value) for value in terms.values()) == pytest.approx(expected, rel=1e-14)
    assert MUENNIGHOFF.floor == terms["E"] == 1.87


def test_muennighoff_is_its_base_where_nothing_is_repeated_or_in_excess() -> None:
    tokens = np.geomspace(1e8, 1e13, 6)
    sizes = MUENNIGHOFF.optimal_params_for(tokens)
    for share in (1e-3, 0.5, 1.0):
        assert MUENNIGHOFF.loss(share * sizes, tokens) == pytest.approx(MUENNIGHOFF.base.loss(share * sizes, tokens))
        assert MUENNIGHOFF.loss(share * sizes, tokens, 2 * tokens) == pytest.approx(
            MUENNIGHOFF.loss(share * sizes, tokens), rel=1e-15
        )
    assert (MUENNIGHOFF.loss(2 * sizes, tokens) > MUENNIGHOFF.base.loss(2 * sizes, tokens)).all()


def test_the_size_that_tokens_call_for_balances_the_two_terms() -> None:
    """At the optimum for a budget a further e-fold of either is worth the same: alpha A N^-alpha = beta B D^-beta."""
    for tokens in (1e6, 25e9, 1e14):
        by_size, by_data = MUENNIGHOFF.base.gradient(MUENNIGHOFF.optimal_params_for(tokens), tokens)
        assert by_size == pytest.approx(by_data, rel=1e-12)


def test_repetition_saturates() -> None:
    """No number of epochs is worth more than U (1 + R_D*) new tokens, nor any size more than U_N (1 + R_N*)."""
    N, D = MUENNIGHOFF.effective(1e30, 1e30, 1e9)
    assert D == pytest.approx(1e9 * 16, rel=1e-12)
    assert N == pytest.approx(MUENNIGHOFF.optimal_params_for(1e9) * 6, rel=1e-12)
    epochs = np.array([1.0, 2.0, 4.0, 16.0, 100.0])
    worth = np.asarray(MUENNIGHOFF.effective(1e6, 1e9 * epochs, 1e9)[1]) / 1e9
    assert (np.diff(worth / epochs) < 0).all()
    assert (np.diff(worth) > 0).all()
    assert float(np.asarray(MUENNIGHOFF.effective(1e6, 1e9 * 16, 1e9)[1])) == pytest.approx(
        1e9 * (1 + 15 * (1 - 1 / math.e)), rel=1e-12
    )  # after R_D* repetitions, 1 - 1/e of them on average


def test_the_kinks_of_muennighoffs_gradient() -> None:
    """Smooth in N everywhere, and in D up to the size that U calls for; beyond it the last new token has its slope."""
    U = 1e10
    best = MUENNIGHOFF.optimal_params_for(U)
    for N, D in ((best, U), (best, 3 * U), (best / 2, U), (3 * best, 0.5 * U), (3 * best, 3 * U)):
        slopes = MUENNIGHOFF.gradient(N, D, U)
        h = 1e-6
        by_N = (MUENNIGHOFF.loss(N * math.exp(h), D, U) - MUENNIGHOFF.loss(N * math.exp(-h), D, U)) / (2 * h)
        by_D = (MUENNIGHOFF.loss(N, D * math.exp(h), U) - MUENNIGHOFF.loss(N, D * math.exp(-h), U)) / (2 * h)
        assert slopes == pytest.approx((by_N, by_D), rel=1e-4)
    h = 1e-7
    at, before, after = (MUENNIGHOFF.loss(3 * best, U * math.exp(k * h), U) for k in (0, -1, 1))
    from_below, from_above = (at - before) / h, (after - at) / h
    given = float(MUENNIGHOFF.gradient(3 * best, U, U)[1])
    assert given == pytest.approx(from_below, rel=1e-5)
    assert abs(from_above) < 0.9 * abs(from_below)
    assert MUENNIGHOFF.gradient(3 * best, U, U) == MUENNIGHOFF.gradient(3 * best, U)


def test_the_chinchilla_form_of_a_law() -> None:
    assert as_chinchilla(CHINCHILLA) is CHINCHILLA
    assert as_chinchilla(GADRE) == GADRE.chinchilla
    assert as_chinchilla(MUENNIGHOFF) == ChinchillaLaw(E=1.87, A=500.0, B=1500.0, alpha=0.35, beta=0.30)
    assert as_chinchilla(KAPLAN) is None
    assert as_chinchilla(POWER) is None


def test_power_law_by_amplitude() -> None:
    law = PowerLaw.from_amplitude(variable="N", offset=1.5, amplitude=20.0, exponent=0.25)
    assert law.loss(1e8) == pytest.approx(1.5 + 20.0 * 1e8**-0.25, rel=1e-12)
    assert law.floor == 1.5
    with pytest.raises(InputError, match="too small for the amplitude"):
        PowerLaw.from_amplitude(variable="N", offset=0.0, amplitude=20.0, exponent=1e-4)


def test_floats_in_floats_out_and_arrays_broadcast() -> None:
    N, D = np.geomspace(1e6, 1e12, 5)[:, None], np.geomspace(1e8, 1e13, 4)[None, :]
    for law in JOINT:
        assert type(law.loss(1e9, 1e10)) is float
        grid = law.loss(N, D)
        assert grid.shape == (5, 4)
        assert grid.dtype == np.float64
        assert grid[2, 3] == law.loss(float(N[2, 0]), float(D[0, 3]))
        gradient = law.gradient(N, D)
        total = np.broadcast_to(gradient[0], (5, 4)) + np.broadcast_to(gradient[1], (5, 4))
        assert total.shape == (5, 4)
        assert (total < 0).all()
    U = np.geomspace(1e8, 1e12, 3)[:, None, None]
    cube = MUENNIGHOFF.loss(N, D, U)
    assert cube.shape == (3, 5, 4)
    assert cube[1, 2, 3] == MUENNIGHOFF.loss(float(N[2, 0]), float(D[0, 3]), float(U[1, 0, 0]))
    assert type(MUENNIGHOFF.loss(1e9, 1e10, 1e9)) is float
    assert type(MUENNIGHOFF.effective(1e9, 1e10, 1e9)[0]) is float
    assert type(MUENNIGHOFF.optimal_params_for(1e9)) is float
    assert type(POWER.loss(1e9)) is float
    assert POWER.loss(N).shape == (5, 1)


@pytest.mark.parametrize(
    "law",
    [
        *JOINT,
        POWER,
        PowerLaw(variable="N", scale=8.8e13, exponent=0.076),
        PowerLaw(variable="C", scale=2.7e28, exponent=0.05),
    ],
)
def test_constants_rebuild_the_law(law: AnyLaw) -> None:
    assert law_from_constants(form_of(law), law.constants) == law
    assert form_of(law) in FORMS


def test_every_form_is_built_by_name() -> None:
    assert FORMS == (*FORM_NAMES, "power-N", "power-D", "power-C")


def test_constants_of_a_power_law_by_coefficient() -> None:
    law = law_from_constants("power-D-offset", {"offset": 1.0, "coefficient": 30.0, "exponent": 0.2})
    assert isinstance(law, PowerLaw)
    assert law.loss(1e9) == pytest.approx(1.0 + 30.0 * 1e9**-0.2, rel=1e-12)


@pytest.mark.parametrize(
    ("form", "constants"),
    [
        ("power", {"scale": 1.0, "exponent": 0.1}),
        ("hestness", {}),
        ("chinchilla-offset", CHINCHILLA.constants),
        ("chinchilla", {"E": 1.0}),
        ("kaplan", CHINCHILLA.constants),
        ("gadre", {**GADRE.constants, "beta": 0.3}),
        ("gadre-offset", GADRE.constants),
        ("muennighoff", CHINCHILLA.constants),
        ("power-N", {"scale": 1.0, "exponent": 0.1, "gamma": 2.0}),
    ],
)
def test_unknown_forms_and_constants_are_refused(form: str, constants: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"^(form|constants): got "):
        law_from_constants(form, constants)


@pytest.mark.parametrize("name", ["E", "A", "B", "alpha", "beta"])
@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, 1e301, "x", True])
def test_constants_are_checked_when_the_law_is_made(name: str, bad: float) -> None:
    with pytest.raises(InputError, match=f"^{name}: got "):
        replace(CHINCHILLA, **{name: bad})


@pytest.mark.parametrize("law", [GADRE, MUENNIGHOFF], ids=lambda law: law.form)
@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, 10**400, "x", True])
def test_the_constants_of_the_other_forms_are_checked_too(law: Law, bad: float) -> None:
    for name in law.constants:
        with pytest.raises(InputError, match=f"^{name}: got "):
            law_from_constants(law.form, {**law.constants, name: bad})
        if name != "E":
            with pytest.raises(InputError, match=f"^{name}: got "):
                law_from_constants(law.form, {**law.constants, name: 0.0})


def test_a_size_that_no_number_holds_is_refused() -> None:
    with pytest.raises(InputError, match=r"^alpha: got 0.001, but it is too small beside"):
        replace(MUENNIGHOFF, alpha=1e-3)


def test_zero_is_a_floor_but_no_coefficient() -> None:
    assert replace(CHINCHILLA, E=0.0).floor == 0.0
    for name in ("A", "B", "alpha", "beta"):
        with pytest.raises(InputError):
            replace(CHINCHILLA, **{name: 0.0})
    with pytest.raises(InputError, match="up to 10"):
        replace(CHINCHILLA, alpha=11.0)
    with pytest.raises(InputError, match=r"^variable"):
        PowerLaw(variable="M", scale=1.0, exponent=1.0)  # type: ignore[arg-type]  # the bad name is the test
    with pytest.raises(FrozenInstanceError):
        CHINCHILLA.E = 2.0  # type: ignore[misc]  # that it is frozen is the test


def test_absurd_values_stay_numbers() -> None:
    steep = ChinchillaLaw(E=1.0, A=1e300, B=1e300, alpha=10.0, beta=10.0)
    assert steep.loss(1e40, 1e40) == 1.0
    assert math.isfinite(steep.loss(1.0, 1.0))
    assert KAPLAN.loss(1e40, 1e40) > 0.0
    assert GadreLaw(E=1.0, a=1e300, b=1e300, eta=10.0).loss(1e40, 1e40) == 1.0
    for R in (1e-300, 1e300):
        extreme = replace(MUENNIGHOFF, R_N_star=R, R_D_star=R)
        for N, D, U in ((1e40, 1e40, 1.0), (1.0, 1e40, 1.0), (1e40, 1.0, 1.0), (1.0, 1.0, 1e40)):
            assert math.isfinite(extreme.loss(N, D, U))
            assert all(math.isfinite(slope) for slope in extreme.gradient(N, D, U))


def vega_values(expression: str, rows: list[dict[str, float]], params: dict[str, float]) -> list[float]:
    """The expression evaluated by Vega on each row, read from the text marks of a rendered SVG."""
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "params": [{"name": name, "value": value} for name, value in params.items()],
        "data": {"values": rows},
        "transform": [{"calculate": f"'L=' + ({expression})", "as": "L"}],
        "mark": "text",
        "encoding": {"text": {"field": "L", "type": "nominal"}, "y": {"field": "i", "type": "quantitative"}},
    }
    svg = vl_convert.vegalite_to_svg(json.dumps(spec), vl_version="5.20")
    return [float(text) for text in re.findall(r">L=([^<]+)<", svg)]


@pytest.mark.parametrize("law", JOINT, ids=FORM_NAMES)
def test_vega_evaluates_the_same_formula(law: Law) -> None:
    sizes, tokens = np.geomspace(1e5, 1e13, 5), np.geomspace(1e7, 1e14, 4)
    rows = [{"i": i, "N": float(n), "D": float(d)} for i, (n, d) in enumerate((n, d) for n in sizes for d in tokens)]
    expected = [law.loss(row["N"], row["D"]) for row in rows]
    inlined = vega_values(law.expression("datum.N", "datum.D"), rows, {})
    assert inlined == pytest.approx(expected, rel=1e-12)
    names = {name: f"k_{name}" for name in law.constants}
    signals = {f"k_{name}": value for name, value in law.constants.items()}
    named = vega_values(law.expression("datum.N", "datum.D", names), rows, signals)
    assert named == pytest.approx(expected, rel=1e-12)


def test_vega_evaluates_repeated_data() -> None:
    law = replace(MUENNIGHOFF, R_D_star=1000.0)  # the largest for which the two evaluators are promised to agree
    rows = [
        {"i": i, "N": n, "D": d, "U": u}
        for i, (n, d, u) in enumerate(
            (n, d, u) for n in (1e6, 1e9, 1e12) for d in (1e9, 1e12) for u in (1e8, 9e8, 1e13)
        )
    ]
    expected = [law.loss(row["N"], row["D"], row["U"]) for row in rows]
    text = law.expression("datum.N", "datum.D", u="datum.U")
    assert vega_values(text, rows, {}) == pytest.approx(expected, rel=1e-12)
    named = law.expression("datum.N", "datum.D", {"R_D_star": "k"}, u="datum.U")
    assert vega_values(named, rows, {"k": 1000.0}) == pytest.approx(expected, rel=1e-12)


def test_vega_evaluates_power_laws() -> None:
    rows = [{"i": i, "x": float(x)} for i, x in enumerate(np.geomspace(1e6, 1e14, 7))]
    expected = [POWER.loss(row["x"]) for row in rows]
    assert vega_values(POWER.expression("datum.x"), rows, {}) == pytest.approx(expected, rel=1e-12)
