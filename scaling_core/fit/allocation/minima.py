"""Where the loss along one budget is least: the vertex of a parabola, or the lowest point of a spline.

A budget's runs lie on a line of constant C = 6 N D, so the loss there is a curve in x = ln N alone. Every function
takes B budgets padded to n sizes, x of shape (B, n), and R sets of losses y and weights w, each (R, B, n) or (1, B, n);
a size of weight 0 does not count, and padding has weight 0. Results have the shape (R, B), or (1, B) where nothing
varies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray

FLAT = 1e-12
"""A Gram matrix whose determinant is below this share of its diagonal's product belongs to fewer than three sizes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Minima:
    """x: ln N at the least loss. loss: there. found: whether the curve has a minimum between the outermost sizes."""

    x: FloatArray
    loss: FloatArray
    found: BoolArray


def outermost(x: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The smallest and the largest x that count, each (R, B)."""
    counts = w > 0
    return np.where(counts, x, np.inf).min(axis=-1), np.where(counts, x, -np.inf).max(axis=-1)


def bracketed(x: FloatArray, y: FloatArray, w: FloatArray, at: FloatArray) -> BoolArray:
    """Whether both the size of least loss and `at` (R, B) lie strictly between the outermost sizes that count."""
    first, last = outermost(x, w)
    best = np.where(w > 0, y, np.inf).argmin(axis=-1)
    lowest = x[np.arange(len(x)), best]
    return np.asarray((lowest > first) & (lowest < last) & (at > first) & (at < last))


def moments(columns: FloatArray, y: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gram matrices (R, B, 3, 3) and right-hand sides (R, B, 3) of weighted least squares on columns (R, B, n, 3)."""
    weighted = columns * w[..., None]
    gram = np.matmul(weighted.swapaxes(-1, -2), columns)
    return gram, np.matmul(weighted.swapaxes(-1, -2), y[..., None])[..., 0]


def inverse(gram: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Inverses of symmetric positive matrices (..., 3, 3), and which of them have one; zeros where there is none."""
    a, b, c = gram[..., 0, 0], gram[..., 0, 1], gram[..., 0, 2]
    d, e, f = gram[..., 1, 1], gram[..., 1, 2], gram[..., 2, 2]
    out = np.empty_like(gram)
    out[..., 0, 0], out[..., 1, 1], out[..., 2, 2] = d * f - e * e, a * f - c * c, a * d - b * b
    out[..., 0, 1] = out[..., 1, 0] = c * e - b * f
    out[..., 0, 2] = out[..., 2, 0] = b * e - c * d
    out[..., 1, 2] = out[..., 2, 1] = b * c - a * e
    determinant = a * out[..., 0, 0] + b * out[..., 0, 1] + c * out[..., 0, 2]
    fine = determinant > FLAT * a * d * f
    out *= np.where(fine, 1.0 / np.where(fine, determinant, 1.0), 0.0)[..., None, None]
    return out, fine


def parabola(x: FloatArray, y: FloatArray, w: FloatArray) -> tuple[Minima, FloatArray]:
    """The vertex of c0 + c1 x + c2 x^2 by weighted least squares, and c (R, B, 3); Hoffmann et al. 2022, section 3.2.

    x must be centred near zero. Not found where c2 is not positive or the sizes do not bracket the vertex.
    """
    gram, right = moments(np.stack([np.ones_like(x), x, x * x], axis=-1), y, w)
    solved, fine = inverse(gram)
    c = np.matmul(solved, right[..., None])[..., 0]
    curved = fine & (c[..., 2] > 0)
    vertex = -0.5 * c[..., 1] / np.where(curved, c[..., 2], 1.0)
    loss = c[..., 0] + 0.5 * c[..., 1] * vertex
    return Minima(x=vertex, loss=loss, found=curved & bracketed(x, y, w, vertex)), c


def tangents(x: FloatArray, y: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Akima's slopes at each size (R, B, n), the chords between sizes (R, B, n - 1), and their lengths in x (B, n - 1).

    n (B,): sizes that count, which come first and increase in x; two at least. The chord weighs less the more it turns
    into its neighbour on the same side: with chords m, the slope between m2 and m3 is
    (|m4 - m3| m2 + |m2 - m1| m3) / (|m4 - m3| + |m2 - m1|). Source: Akima 1970, J. ACM 17(4), eq. 1.
    """
    inner = np.arange(x.shape[1] - 1) < (n - 1)[:, None]
    width = np.where(inner, np.diff(x, axis=-1), 1.0)
    chord = np.where(inner, np.diff(y, axis=-1) / width, 0.0)
    rows, end = np.arange(len(x)), n.astype(np.intp)  # m[end] is the last chord, after two that are made up
    m = np.zeros((*chord.shape[:2], chord.shape[2] + 4))
    m[..., 2:-2] = chord
    m[..., 1] = 2.0 * m[..., 2] - m[..., 3]
    m[..., 0] = 2.0 * m[..., 1] - m[..., 2]
    m[:, rows, end + 1] = 2.0 * m[:, rows, end] - m[:, rows, end - 1]
    m[:, rows, end + 2] = 2.0 * m[:, rows, end + 1] - m[:, rows, end]
    bend = np.abs(np.diff(m, axis=-1))
    before, after = bend[..., 2:], bend[..., :-2]
    total = before + after
    even = total <= 1e-9 * total.max(axis=-1, keepdims=True)
    share = np.where(even, 0.5, before / np.where(even, 1.0, total))
    return share * m[..., 1:-2] + (1.0 - share) * m[..., 2:-1], chord, width


def spline(x: FloatArray, y: FloatArray, w: FloatArray) -> Minima:
    """The lowest point of Akima's spline through (x, y), y (R, B, n); w (1, B, n) says which sizes count.

    The curve passes through every size: it assumes no law, runs far from the minimum have no say, and nothing is
    smoothed. On a chord of length h, with t in [0, 1], it is y0 + h (a t + q t^2 + r t^3).
    """
    n = (w[0] > 0).sum(axis=-1)
    slope, chord, h = tangents(x, y, n)
    a, b = slope[..., :-1], slope[..., 1:]
    q, r = 3.0 * chord - 2.0 * a - b, a + b - 2.0 * chord
    discriminant = q * q - 3.0 * a * r
    root = np.sqrt(np.maximum(discriminant, 0.0))
    # Its slope rises through zero at t = (root - q) / (3 r) = -a / (q + root), the second where r is small.
    cubic = np.abs(3.0 * r) > np.abs(q + root)
    below = np.where(q + root == 0.0, np.inf, q + root)
    t = np.where(cubic, (root - q) / np.where(cubic, 3.0 * r, 1.0), -a / below)
    real = np.arange(x.shape[1] - 1) < (n - 1)[:, None]
    inside = (discriminant >= 0) & (t >= 0) & (t <= 1) & real
    t = np.where(inside, t, 0.0)
    height = np.where(inside, y[..., :-1] + h * t * (a + t * (q + t * r)), np.inf)
    best = height.argmin(axis=-1)[..., None]
    place = np.take_along_axis(x[:, :-1] + h * t, best, axis=-1)[..., 0]
    loss = np.take_along_axis(height, best, axis=-1)[..., 0]
    exists = np.isfinite(loss)
    place = np.where(exists, place, 0.0)
    return Minima(x=place, loss=np.where(exists, loss, 0.0), found=exists & bracketed(x, y, w, place))
