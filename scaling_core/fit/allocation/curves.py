"""The curve along the budgets by each method, behind one face: fitted once to the runs, refitted to resamplings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.fit.allocation import profile
from scaling_core.fit.allocation.budgets import Table
from scaling_core.fit.allocation.minima import Minima, parabola, spline, tangents

Method = Literal["profile", "parabola", "interpolate"]
METHODS: tuple[Method, ...] = ("profile", "parabola", "interpolate")
_RESAMPLED = 1e-6
"""A replicate's exponents are sought until its sum of squares is this close to the least."""


class Curves(Protocol):
    """Curves of all budgets of one table. shared: constants that all budgets have in common."""

    @property
    def table(self) -> Table:
        """What they were fitted to."""
        ...

    @property
    def shared(self) -> dict[str, float]:
        """Constants that all budgets have in common."""
        ...

    def minima(self, loss: FloatArray, times: FloatArray) -> Minima:
        """Minima of the curves through other losses, each size counted so many times; both (R, B, n) or (1, B, n)."""
        ...

    def at(self, x: FloatArray, z: FloatArray) -> FloatArray:
        """The fitted loss at x, z (B, k)."""
        ...

    def noise(self) -> tuple[float, int]:
        """Standard deviation of ln loss of a run of unit weight about the curves, and its degrees of freedom."""
        ...


def curves_of(method: Method, table: Table) -> Curves:
    """The curves of that method through the losses of a table that holds at least one budget."""
    if method == "interpolate":
        return Interpolated(table=table)
    if method == "parabola":
        _, c = parabola(table.x, table.loss[None], _weight(table)[None])
        return Parabolas(table=table, c=c[0])
    return Profiles(table=table, fit=profile.best(table.x, table.z, table.loss[None], _weight(table)[None]))


def _weight(table: Table) -> FloatArray:
    """Inverse variance of the loss itself, up to a factor: (B, n)."""
    return table.weight / table.loss**2


def _about(curves: Curves, constants: int) -> tuple[float, int]:
    """`Curves.noise` from the residuals of a least squares fit with so many constants."""
    table, freedom = curves.table, curves.table.sizes - constants
    residual = np.log(table.loss / curves.at(table.x, table.z))
    return math.sqrt(float((table.weight * residual**2).sum()) / max(freedom, 1)), freedom


@dataclass(frozen=True, kw_only=True, slots=True)
class Parabolas:
    """A parabola in ln N for each budget, c (B, 3)."""

    table: Table
    c: FloatArray

    @property
    def shared(self) -> dict[str, float]:
        """Nothing."""
        return {}

    def minima(self, loss: FloatArray, times: FloatArray) -> Minima:
        """As in `Curves`."""
        return parabola(self.table.x, loss, times * _weight(self.table))[0]

    def at(self, x: FloatArray, z: FloatArray) -> FloatArray:
        """As in `Curves`."""
        return self.c[:, :1] + x * (self.c[:, 1:2] + x * self.c[:, 2:])

    def noise(self) -> tuple[float, int]:
        """As in `Curves`."""
        return _about(self, 3 * len(self.c))


@dataclass(frozen=True, kw_only=True, slots=True)
class Profiles:
    """The curve of a Chinchilla-type law for each budget."""

    table: Table
    fit: profile.Profile

    @property
    def shared(self) -> dict[str, float]:
        """alpha and beta."""
        alpha, beta = self.fit.exponents[0].tolist()
        return {"alpha": alpha, "beta": beta}

    def minima(self, loss: FloatArray, times: FloatArray) -> Minima:
        """As in `Curves`; each resampling has exponents of its own, sought from those of the fit."""
        x, z, w = self.table.x, self.table.z, times * _weight(self.table)
        start = np.repeat(self.fit.exponents, max(len(loss), len(w)), axis=0)
        return profile.lowest(x, loss, w, profile.solve(x, z, loss, w, start, tolerance=_RESAMPLED))

    def at(self, x: FloatArray, z: FloatArray) -> FloatArray:
        """As in `Curves`."""
        columns = profile.basis(x, z, self.fit.exponents)
        return np.asarray(np.matmul(columns, self.fit.c[..., None])[0, ..., 0])

    def noise(self) -> tuple[float, int]:
        """As in `Curves`."""
        return _about(self, 3 * len(self.table.x) + 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interpolated:
    """Akima's spline through ln loss over ln N for each budget. It leaves no residuals: see `neighbour_scatter`."""

    table: Table

    @property
    def shared(self) -> dict[str, float]:
        """Nothing."""
        return {}

    def minima(self, loss: FloatArray, times: FloatArray) -> Minima:
        """As in `Curves`, without regard to `times`."""
        found = spline(self.table.x, np.log(loss), self.table.weight[None])
        return Minima(x=found.x, loss=np.exp(found.loss), found=found.found)

    def at(self, x: FloatArray, z: FloatArray) -> FloatArray:
        """As in `Curves`."""
        from scipy.interpolate import CubicHermiteSpline  # here: the first page does without SciPy

        table, n = self.table, (self.table.weight > 0).sum(axis=1)
        slope, _, _ = tangents(table.x, np.log(table.loss)[None], n)
        rows = zip(table.x, np.log(table.loss), slope[0], n, x, strict=True)
        return np.exp([CubicHermiteSpline(own[:m], y[:m], s[:m])(there) for own, y, s, m, there in rows])

    def noise(self) -> tuple[float, int]:
        """The standard errors where they are known, else the scatter of neighbours."""
        return neighbour_scatter(self.table) if self.table.scale is None else (self.table.scale, 0)


def neighbour_scatter(table: Table, reach: int = 2) -> tuple[float, int]:
    """How far ln loss scatters, without any law: standard deviation for unit weight, and on how many sizes it rests.

    Near each budget's best size a size is compared with the polynomial through its two neighbours on either side, whose
    own scatter is known: r = ln L_i - sum_j k_j ln L_j has the variance scale^2 (1/w_i + sum_j k_j^2 / w_j). A curve
    that a cubic does not follow adds to it, so this errs towards too much. Gasser, Sroka & Jennen-Steinmetz 1986.
    """
    squares: list[float] = []
    for x, loss, weight in zip(table.x, table.loss, table.weight, strict=True):
        m = int((weight > 0).sum())
        y, nearest = np.log(loss[:m]), int(loss[:m].argmin())
        for i in range(max(1, nearest - reach), min(m - 1, nearest + reach + 1)):
            others = [j for j in range(max(0, i - 2), min(m, i + 3)) if j != i]
            k = [math.prod((x[i] - x[o]) / (x[j] - x[o]) for o in others if o != j) for j in others]
            r = y[i] - sum(each * y[j] for each, j in zip(k, others, strict=True))
            variance = 1.0 / weight[i] + sum(each**2 / weight[j] for each, j in zip(k, others, strict=True))
            squares.append(float(r * r / variance))
    return math.sqrt(sum(squares) / max(len(squares), 1)), len(squares)
