"""What a fit says of its runs before any number: each sentence where it belongs, and silence where it does not."""

from __future__ import annotations

import numpy as np
import pytest

from scaling_core.errors import FitError
from scaling_core.fit import RunPoints, fit_law
from scaling_core.fit.diagnosis import extrapolation_note, outliers
from scaling_core.laws import ChinchillaLaw

PLANTED = ChinchillaLaw(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
SIZES, RATIOS = np.meshgrid(np.geomspace(2e7, 1e10, 8), np.geomspace(5.0, 80.0, 6), indexing="ij")
N, D = SIZES.ravel(), (SIZES * RATIOS).ravel()
GROUPS = [f"{n:.4g}" for n in N]


def text(log_error: np.ndarray, **columns: object) -> str:
    """The warnings of a fit to 48 runs whose log losses are off by `log_error`."""
    loss = PLANTED.loss(N, D) * np.exp(log_error)
    return " ".join(fit_law(RunPoints.of(N=N, D=D, loss=loss, **columns)).warnings)  # type: ignore[arg-type]  # columns of RunPoints


def noise(seed: int, sd: float = 0.003) -> np.ndarray:
    return sd * np.random.default_rng(seed).standard_normal(N.size)


def test_a_good_study_is_met_with_silence() -> None:
    said = [text(noise(seed), group=GROUPS) for seed in range(40)]
    assert sum(bool(words) for words in said) <= 2, [words for words in said if words]


def test_residuals_that_bend_are_seen() -> None:
    wave = np.sin(2.0 * np.pi * np.log(N / N[0]) / np.log(N[-1] / N[0]))
    assert "residuals bend with N" in text(noise(0) + 0.006 * wave)


def test_an_error_that_a_group_shares_is_seen() -> None:
    shared = 0.01 * np.random.default_rng(3).standard_normal(8)
    words = text(noise(1, 0.002) + np.repeat(shared, 6), group=GROUPS)
    assert "Runs of one group share their error" in words
    assert "resample whole groups" in words
    assert "share their error" not in text(noise(1, 0.002), group=GROUPS)


def test_mixed_tokenizers_are_named() -> None:
    words = text(noise(2), tokenizer=["gpt2", "llama"] * 24)
    assert "2 tokenizers (gpt2, llama)" in words
    assert "bits per byte" in words


def test_outliers_are_counted_and_the_answer_without_them_is_given() -> None:
    """What is said of the fit without them is what a fit without them gives."""
    error = noise(4)
    error[[5, 30]] += (0.2, -0.15)
    loss = PLANTED.loss(N, D) * np.exp(error)
    result = fit_law(RunPoints.of(N=N, D=D, loss=loss))
    words = " ".join(result.warnings)
    assert "2 of 48 runs lie more than 6 spreads off the curve" in words
    kept = np.setdiff1d(np.arange(48), [5, 30])
    alone = fit_law(RunPoints.of(N=N[kept], D=D[kept], loss=loss[kept])).constants
    quoted = [name for name, value in alone.items() if f"becomes {value:.4g}" in words]
    assert len(quoted) == 3
    assert outliers(result.residuals).sum() == 2


def test_the_floor_and_the_bounds_are_named() -> None:
    flat = RunPoints.of(N=N, D=D, loss=5.0 * N**-0.05 * np.exp(noise(5)))
    words = " ".join(fit_law(flat).warnings)
    assert "ended at zero" in words or "ended at its bound" in words


def test_a_step_too_long_for_the_range_is_named() -> None:
    points = RunPoints.of(N=N, D=D, loss=PLANTED.loss(N, D))
    largest = float(points.C.max())
    assert extrapolation_note(points, 1e9, 2e10) is None
    size = np.sqrt(largest * 5e5 / 120.0)
    sentence = extrapolation_note(points, size, 20.0 * size)
    assert sentence is not None
    assert sentence.startswith("This lies 500K times beyond the largest run")


@pytest.mark.parametrize(
    ("keep", "sentence"),
    [
        (np.abs(N - N[0]) < 1.0, "N is 20M in every run"),
        (np.abs(D / N - 5.0) < 0.01, "D/N is the same in every run"),
        (np.arange(48) < 5, "5 runs cannot carry the 5 constants"),
    ],
)
def test_designs_that_cannot_separate_the_constants_are_refused(keep: np.ndarray, sentence: str) -> None:
    points = RunPoints.of(N=N, D=D, loss=PLANTED.loss(N, D)).subset(keep)
    with pytest.raises(FitError, match=sentence):
        fit_law(points)
