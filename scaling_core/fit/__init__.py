"""Fit a law to runs: exact optimum, bootstrap intervals, and sentences about what the data cannot say.

    result = fit_law(RunPoints.of(N=..., D=..., loss=...), bootstrap=1000)
    predict(result, N=70e9, D=1.4e12)

Objective and data: Hoffmann et al. 2022, section 3.3 (approach 3); Besiroglu et al. 2024 for its intervals.
"""

from __future__ import annotations

from scaling_core.fit.allocation.envelope import fit_envelope
from scaling_core.fit.allocation.isoflop import fit_isoflop
from scaling_core.fit.allocation.record import AllocationFit
from scaling_core.fit.bootstrap import RESAMPLINGS, Resampling
from scaling_core.fit.forms import FORMS, FittedLaw
from scaling_core.fit.intervals import INTERVALS, Interval, interval, joint_region
from scaling_core.fit.objective import OBJECTIVES, Objective
from scaling_core.fit.parametric import MAX_BOOTSTRAP, WEIGHTS, Weights, fit_law
from scaling_core.fit.points import RunPoints
from scaling_core.fit.repeated.fitting import RepeatedFit, fit_repeated, predict_repeated
from scaling_core.fit.result import FitResult, Prediction, predict
from scaling_core.fit.tables.table import RunTable, read_csv, read_table

__all__ = [
    "FORMS",
    "INTERVALS",
    "MAX_BOOTSTRAP",
    "OBJECTIVES",
    "RESAMPLINGS",
    "WEIGHTS",
    "AllocationFit",
    "FitResult",
    "FittedLaw",
    "Interval",
    "Objective",
    "Prediction",
    "RepeatedFit",
    "Resampling",
    "RunPoints",
    "RunTable",
    "Weights",
    "fit_envelope",
    "fit_isoflop",
    "fit_law",
    "fit_repeated",
    "interval",
    "joint_region",
    "predict",
    "predict_repeated",
    "read_csv",
    "read_table",
]
