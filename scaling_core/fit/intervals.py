"""Intervals and regions from bootstrap replicates.

bias-corrected: the percentiles are shifted by twice z0, the normal score of the share of replicates below the
estimate, so that an estimate that sits off the median of its replicates does not tilt the interval (Efron 1987,
section 2, without acceleration). percentile: the plain percentiles (Efron 1979).
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from scaling_core.arrays import FloatArray
from scaling_core.errors import InputError
from scaling_core.fit.told import choice

Interval = Literal["bias-corrected", "percentile"]
INTERVALS: tuple[Interval, ...] = ("bias-corrected", "percentile")


def check_interval(method: str) -> None:
    """Raises InputError for a method that does not exist."""
    if method not in INTERVALS:
        raise InputError("interval", method, choice(INTERVALS))


def shares(
    replicates: FloatArray, estimate: FloatArray, level: float, method: Interval = "bias-corrected"
) -> tuple[FloatArray, FloatArray]:
    """Between which shares of the replicates (R, m) the interval at `level` lies; each (m,), in (0, 1).

    estimate: (m,). Replicates equal to the estimate count half.
    """
    from scipy.special import ndtr, ndtri  # here: the first page does without SciPy

    tail = np.full(estimate.shape, float(ndtri((1.0 + level) / 2.0)))
    shift = np.zeros(estimate.shape)
    if method == "bias-corrected":
        count = len(replicates)
        below = (replicates < estimate).sum(axis=0) + 0.5 * (replicates == estimate).sum(axis=0)
        shift = np.clip(ndtri((below + 0.5) / (count + 1.0)), -1.0, 1.0)
    return np.asarray(ndtr(2.0 * shift - tail)), np.asarray(ndtr(2.0 * shift + tail))


def interval(
    replicates: FloatArray, estimate: FloatArray, level: float, method: Interval = "bias-corrected"
) -> tuple[FloatArray, FloatArray]:
    """(low, high), each (m,), of quantities with replicates (R, m) and estimates (m,)."""
    low, high = shares(replicates, estimate, level, method)
    return at_shares(replicates, low), at_shares(replicates, high)


def at_shares(replicates: FloatArray, share: FloatArray) -> FloatArray:
    """The quantile of each column of (R, m) at its own share (m,), interpolated between order statistics: (m,)."""
    ordered, last = np.sort(replicates, axis=0), len(replicates) - 1
    position = np.clip(share * (len(replicates) + 1) - 1, 0, last)
    below = position.astype(np.intp)
    part = position - below
    columns = np.arange(replicates.shape[1])
    one, two = ordered[below, columns], ordered[np.minimum(below + 1, last), columns]
    return np.asarray(one + part * (two - one))


def joint_region(x: FloatArray, y: FloatArray, level: float, *, points: int = 121) -> FloatArray:
    """The outline of an ellipse that holds a share `level` of the replicates (x, y), each (R,); shape (points, 2).

    Its axes are those of the replicates' covariance, its size the `level` quantile of their Mahalanobis distances, so
    that no normal distribution is assumed. Two constants on a ridge have a thin, tilted one.
    """
    cloud = np.stack([x, y])
    centre = np.median(cloud, axis=1, keepdims=True)
    values, axes = np.linalg.eigh(np.cov(cloud))
    root = np.sqrt(np.maximum(values, 1e-300))
    distance = np.sqrt((((axes.T @ (cloud - centre)) / root[:, None]) ** 2).sum(axis=0))
    radius = float(np.quantile(distance, level))
    angle = np.linspace(0.0, 2.0 * np.pi, points)
    circle = radius * root[:, None] * np.stack([np.cos(angle), np.sin(angle)])
    return np.asarray((centre + axes @ circle).T)
