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
from scaling_core.laws import FORMS, AnyLaw, ChinchillaLaw, KaplanJointLaw, PowerLaw, law_from_constants

CHINCHILLA = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
KAPLAN = KaplanJointLaw(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103)
POWER = PowerLaw(variable="D", scale=5.4e13, exponent=0.095, offset=0.5)


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


def test_power_law_by_amplitude() -> None:
    law = PowerLaw.from_amplitude(variable="N", offset=1.5, amplitude=20.0, exponent=0.25)
    assert law.loss(1e8) == pytest.approx(1.5 + 20.0 * 1e8**-0.25, rel=1e-12)
    assert law.floor == 1.5
    with pytest.raises(InputError, match="too small for the amplitude"):
        PowerLaw.from_amplitude(variable="N", offset=0.0, amplitude=20.0, exponent=1e-4)


def test_floats_in_floats_out_and_arrays_broadcast() -> None:
    N, D = np.geomspace(1e6, 1e12, 5)[:, None], np.geomspace(1e8, 1e13, 4)[None, :]
    for law in (CHINCHILLA, KAPLAN):
        assert type(law.loss(1e9, 1e10)) is float
        grid = law.loss(N, D)
        assert grid.shape == (5, 4)
        assert grid.dtype == np.float64
        assert grid[2, 3] == law.loss(float(N[2, 0]), float(D[0, 3]))
        gradient = law.gradient(N, D)
        total = np.broadcast_to(gradient[0], (5, 4)) + np.broadcast_to(gradient[1], (5, 4))
        assert total.shape == (5, 4)
        assert (total < 0).all()
    assert type(POWER.loss(1e9)) is float
    assert POWER.loss(N).shape == (5, 1)


@pytest.mark.parametrize(
    "law",
    [
        CHINCHILLA,
        KAPLAN,
        POWER,
        PowerLaw(variable="N", scale=8.8e13, exponent=0.076),
        PowerLaw(variable="C", scale=2.7e28, exponent=0.05),
    ],
)
def test_constants_rebuild_the_law(law: AnyLaw) -> None:
    form = f"power-{law.variable}" if isinstance(law, PowerLaw) else law.form
    assert law_from_constants(form, law.constants) == law
    assert form in FORMS


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


@pytest.mark.parametrize("law", [CHINCHILLA, KAPLAN])
def test_vega_evaluates_the_same_formula(law: ChinchillaLaw | KaplanJointLaw) -> None:
    sizes, tokens = np.geomspace(1e5, 1e13, 5), np.geomspace(1e7, 1e14, 4)
    rows = [{"i": i, "N": float(n), "D": float(d)} for i, (n, d) in enumerate((n, d) for n in sizes for d in tokens)]
    expected = [law.loss(row["N"], row["D"]) for row in rows]
    inlined = vega_values(law.expression("datum.N", "datum.D"), rows, {})
    assert inlined == pytest.approx(expected, rel=1e-12)
    names = {name: f"k_{name}" for name in law.constants}
    signals = {f"k_{name}": value for name, value in law.constants.items()}
    named = vega_values(law.expression("datum.N", "datum.D", names), rows, signals)
    assert named == pytest.approx(expected, rel=1e-12)


def test_vega_evaluates_power_laws() -> None:
    rows = [{"i": i, "x": float(x)} for i, x in enumerate(np.geomspace(1e6, 1e14, 7))]
    expected = [POWER.loss(row["x"]) for row in rows]
    assert vega_values(POWER.expression("datum.x"), rows, {}) == pytest.approx(expected, rel=1e-12)
