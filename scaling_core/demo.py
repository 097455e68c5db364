"""Synthetic runs from a planted law: what a ladder would measure if the law were true, and what a fit makes of it.

The same spec and seed give the same runs, the same fit and the same bytes of JSON.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scaling_core import catalog
from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.fit import FitResult, RunPoints, fit_law, predict
from scaling_core.flops import training_flops
from scaling_core.language import retold, speaking, t
from scaling_core.laws import ChinchillaLaw, GadreLaw, Law, PowerLaw
from scaling_core.optimum import Allocation, isoflop, judge, optimal_for_compute, twenty_to_one
from scaling_core.units import format_quantity, parse_count, parse_quantity

ISOFLOP_BUDGETS = (1e19, 1e20, 1e21, 1e22, 1e23)
"""FLOP, the budgets of the compute-optimal figure."""
MARKED = ("gpt3", "gopher", "chinchilla", "llama-7b", "llama2-70b", "llama3-8b")
"""The models marked in the panels, by their ids in `data/models.csv`."""
_GRID = 161


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoSpec:
    """What is planted and how it is measured.

    law: the truth. N_low to N_high, D_low to D_high: the ranges, parameters and tokens. n_sizes x n_horizons runs,
    evenly spaced in the logarithms. noise: standard deviation of ln loss. preset_id: where the law came from, or
    None. Raises InputError on a range that is empty or absurd.
    """

    law: Law
    N_low: float = 1e7
    N_high: float = 1e10
    D_low: float = 2e8
    D_high: float = 2e11
    n_sizes: int = 7
    n_horizons: int = 8
    noise: float = 0.005
    seed: int = 0
    preset_id: str | None = None

    def __post_init__(self) -> None:
        for name, value in (
            (t("smallest size"), self.N_low),
            (t("largest size"), self.N_high),
            (t("smallest horizon"), self.D_low),
            (t("largest horizon"), self.D_high),
        ):
            parse_quantity(value, field=name, minimum=1.0, maximum=1e15)
        if not self.N_high >= 2.0 * self.N_low:
            allowed = t("it must be at least twice the smallest size, {low}", low=format_quantity(self.N_low))
            raise InputError(t("largest size"), format_quantity(self.N_high), allowed)
        if not self.D_high >= 2.0 * self.D_low:
            allowed = t("it must be at least twice the smallest horizon, {low}", low=format_quantity(self.D_low))
            raise InputError(t("largest horizon"), format_quantity(self.D_high), allowed)
        parse_count(self.n_sizes, field=t("sizes"), minimum=2, maximum=40)
        parse_count(self.n_horizons, field=t("horizons"), minimum=2, maximum=40)
        parse_quantity(self.noise, field=t("noise"), maximum=0.5, allow_zero=True)
        parse_count(self.seed, field=t("seed"))

    @classmethod
    def of_preset(cls, id: str = "hoffmann2022", **changes: Any) -> DemoSpec:
        """The published law of this id, planted; `changes` are fields of the spec."""
        return cls(law=catalog.preset(id).joint, preset_id=id, **changes)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceCurve:
    """A published curve to draw beside the points. anchored: its amplitude is ours, only the exponent is published."""

    id: str
    label: str
    source: str
    loss: FloatArray
    anchored: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """The runs along one variable, the other held at `held`, its largest value.

    x, loss: the measured points, shape (n,). grid: where the curves are evaluated, shape (m,). planted, fitted,
    low, high: the truth, the fitted law and its band, shape (m,). references: published curves on the same grid.
    """

    variable: Literal["N", "D"]
    held: float
    x: FloatArray
    loss: FloatArray
    grid: FloatArray
    planted: FloatArray
    fitted: FloatArray
    low: FloatArray
    high: FloatArray
    references: tuple[ReferenceCurve, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class IsoFlop:
    """One budget C: N, D = C/(6N), planted and fitted loss, shape (m,); both optima; the 20:1 allocation."""

    C: float
    N: FloatArray
    D: FloatArray
    planted: FloatArray
    fitted: FloatArray
    optimum: Allocation
    fitted_optimum: Allocation
    twenty: Allocation


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkedModel:
    """A known model under the planted law: its loss, and the verdict on its allocation."""

    id: str
    name: str
    N: float
    D: float
    C: float
    loss: float
    status: str
    sentence: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovered:
    """A planted constant and what the fit made of it; low and high are the interval, NaN without bootstrap."""

    planted: float
    fitted: float
    low: float
    high: float

    @property
    def inside(self) -> bool:
        """Whether the interval covers the planted value, to nine digits (without noise the interval is a point)."""
        slack = 1e-9 * abs(self.planted)
        return self.low - slack <= self.planted <= self.high + slack


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoResult:
    """A demo: spec, runs, the two slices, the fit, the isoFLOP curves, known models, and planted against fitted.

    recovery: by constant; empty where the planted law is not of the fitted form.
    """

    spec: DemoSpec
    points: RunPoints
    single_N: Slice
    single_D: Slice
    fit: FitResult
    isoflop: tuple[IsoFlop, ...]
    models: tuple[MarkedModel, ...]
    recovery: dict[str, Recovered]


def make_runs(spec: DemoSpec) -> RunPoints:
    """Runs on the n_sizes x n_horizons grid: loss = L(N, D) exp(noise z), z standard normal; grouped by size."""
    N = np.repeat(np.geomspace(spec.N_low, spec.N_high, spec.n_sizes), spec.n_horizons)
    D = np.tile(np.geomspace(spec.D_low, spec.D_high, spec.n_horizons), spec.n_sizes)
    z = np.random.default_rng(spec.seed).standard_normal(N.size)
    group = [format_quantity(n, 6) for n in N]
    return RunPoints.of(N=N, D=D, loss=spec.law.loss(N, D) * np.exp(spec.noise * z), group=group)


def run_demo(spec: DemoSpec, bootstrap: int = 200) -> DemoResult:
    """Make the runs, fit the Chinchilla form to them, and evaluate every curve the figures need.

    Raises FitError where the runs cannot carry the fit, InputError where the planted or the fitted law has no
    meaningful optimum at the budgets of the figure.
    """
    points = make_runs(spec)
    fit = fit_law(points, form="chinchilla", bootstrap=bootstrap, seed=spec.seed)
    fitted = fit.law
    if not isinstance(fitted, ChinchillaLaw):  # the form asked for above
        raise TypeError(type(fitted))
    return DemoResult(
        spec=spec,
        points=points,
        single_N=_slice(spec, points, fit, "N"),
        single_D=_slice(spec, points, fit, "D"),
        fit=fit,
        isoflop=tuple(_isoflop(spec.law, fitted, C) for C in ISOFLOP_BUDGETS),
        models=tuple(_marked(spec.law, catalog.model(id)) for id in MARKED),
        recovery=_recovery(spec.law, fit),
    )


def _slice(spec: DemoSpec, points: RunPoints, fit: FitResult, variable: Literal["N", "D"]) -> Slice:
    """The points at the largest value of the other variable, and the curves from below them to the known models."""
    x, other = points.variable(variable), points.variable("D" if variable == "N" else "N")
    held = float(other.max())
    keep = other == held
    known = [m.N if variable == "N" else m.tokens for m in (catalog.model(id) for id in MARKED)]
    grid = np.geomspace(x.min() / 3.0, max(float(x.max()), *known) * 1.5, _GRID)
    N, D = (grid, np.full_like(grid, held)) if variable == "N" else (np.full_like(grid, held), grid)
    band = predict(fit, N, D, noise=False)
    return Slice(
        variable=variable,
        held=held,
        x=x[keep],
        loss=points.loss[keep],
        grid=grid,
        planted=spec.law.loss(N, D),
        fitted=band.loss,
        low=band.low,
        high=band.high,
        references=_references(spec.law, variable, grid, x, held),
    )


def _references(
    law: Law, variable: Literal["N", "D"], grid: FloatArray, x: FloatArray, held: float
) -> tuple[ReferenceCurve, ...]:
    """Kaplan's L(N) or L(D) as published; for D also Hestness's exponent through the middle of the planted curve."""
    kaplan = catalog.preset("kaplan2020-n" if variable == "N" else "kaplan2020-d")
    if not isinstance(kaplan.law, PowerLaw):  # these two are, in data/laws.json
        raise TypeError(type(kaplan.law))
    published = ReferenceCurve(
        id=kaplan.id, label=t("{name}, as published", name=kaplan.told("short_name")), source=kaplan.source,
        loss=kaplan.law.loss(grid), anchored=False,
    )  # fmt: skip
    if variable == "N":
        return (published,)
    hestness = catalog.reference_exponent("hestness2018-word-lm")
    middle = math.sqrt(float(x.min()) * float(x.max()))
    moved = ReferenceCurve(
        id=hestness.id, label=f"Hestness exponent {hestness.exponent:g}, amplitude anchored", source=hestness.source,
        loss=hestness.anchored(middle, law.loss(held, middle)).loss(grid), anchored=True,
    )  # fmt: skip
    return published, moved


def _isoflop(law: Law, fitted: Law, C: float) -> IsoFlop:
    """The curve of one budget over three decades of size around the planted optimum."""
    optimum = optimal_for_compute(law, C)
    N = optimum.N * np.geomspace(10.0**-1.5, 10.0**1.5, 61)
    D, planted = isoflop(law, C, N)
    n, d = twenty_to_one(C)
    return IsoFlop(
        C=C,
        N=N,
        D=D,
        planted=planted,
        fitted=fitted.loss(N, D),
        optimum=optimum,
        fitted_optimum=optimal_for_compute(fitted, C),
        twenty=Allocation(N=n, D=d, C=C, loss=law.loss(n, d), tokens_per_param=20.0),
    )


def _marked(law: Law, model: catalog.KnownModel) -> MarkedModel:
    verdict = judge(law, model.N, model.tokens)
    return MarkedModel(
        id=model.id,
        name=model.name,
        N=model.N,
        D=model.tokens,
        C=training_flops(model.N, model.tokens),
        loss=verdict.loss,
        status=verdict.status,
        sentence=verdict.sentence,
    )


def _recovery(law: Law, fit: FitResult) -> dict[str, Recovered]:
    exact = law.chinchilla if isinstance(law, GadreLaw) else law
    if not isinstance(exact, ChinchillaLaw):
        return {}
    none = (math.nan, math.nan)
    rows = ((name, planted, fit.intervals.get(name, none)) for name, planted in exact.constants.items())
    return {
        name: Recovered(planted=planted, fitted=fit.constants[name], low=ends[0], high=ends[1])
        for name, planted, ends in rows
    }


@speaking("en")
def to_dict(result: DemoResult) -> dict[str, Any]:
    """The demo as JSON types, in English: everything the figures show, and nothing that changes from run to run."""
    spec, fit = result.spec, result.fit.to_dict()
    fit.pop("seconds")
    fit["warnings"] = [retold(text) for text in fit["warnings"]]
    return {
        "schema": "scaling-lab-demo-1",
        "spec": {name: getattr(spec, name) for name in spec.__slots__ if name != "law"},
        "planted": {"form": spec.law.form, "constants": spec.law.constants},
        "fit": fit,
        "recovery": {
            name: {
                "planted": r.planted,
                "fitted": r.fitted,
                "interval": [r.low, r.high] if math.isfinite(r.low) else None,
                "inside": r.inside if math.isfinite(r.low) else None,
            }
            for name, r in result.recovery.items()
        },
        "runs": [
            {"N": float(n), "D": float(d), "C": float(c), "loss": float(loss)}
            for n, d, c, loss in zip(result.points.N, result.points.D, result.points.C, result.points.loss, strict=True)
        ],
        "slices": {s.variable: _slice_dict(s) for s in (result.single_N, result.single_D)},
        "isoflop": [
            {
                "C": i.C,
                "N": i.N.tolist(),
                "D": i.D.tolist(),
                "planted": i.planted.tolist(),
                "fitted": i.fitted.tolist(),
                **{name: _flat(getattr(i, name)) for name in ("optimum", "fitted_optimum", "twenty")},
            }
            for i in result.isoflop
        ],
        "models": [_flat(m) for m in result.models],
    }


def to_json(result: DemoResult) -> str:
    """`to_dict` as text: sorted keys, floats at full precision, a newline at the end; equal seeds give equal bytes."""
    return json.dumps(to_dict(result), sort_keys=True, indent=1, allow_nan=False) + "\n"


def _flat(record: Allocation | MarkedModel) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in record.__slots__}
    return {name: retold(value) if isinstance(value, str) else value for name, value in values.items()}


def _slice_dict(s: Slice) -> dict[str, Any]:
    arrays = {name: getattr(s, name).tolist() for name in ("x", "loss", "grid", "planted", "fitted", "low", "high")}
    references = [
        {"id": r.id, "label": r.label, "source": r.source, "anchored": r.anchored, "loss": r.loss.tolist()}
        for r in s.references
    ]
    return {"held": s.held, **arrays, "references": references}
