"""Optima: compute-optimal, inference-aware, over-trained, data-limited; closed form where there is one.

`allocation` holds the closed forms and their inverses, `verdict` what a law says of a trained model, `inference` the
cheapest model to train and serve, `overtraining` smaller models for more compute, `repeated` training on few unique
tokens (`repetition`: what a second reading is worth), `bands` the uncertainty of an optimum, `numeric` a search that
knows none of this.
"""

from __future__ import annotations

from scaling_core.optimum.allocation import (
    Allocation,
    exponents,
    frontier,
    isoflop,
    optimal,
    optimal_for_compute,
    optimal_for_loss,
    optimal_for_params,
    optimal_for_tokens,
    twenty_to_one,
)
from scaling_core.optimum.bands import (
    Band,
    ExponentBand,
    Interval,
    Spread,
    best_sizes,
    exponent_band,
    loss_band,
    optimum_band,
)
from scaling_core.optimum.inference import (
    InferenceOptimum,
    inference_flops,
    inference_optimal,
    lifetime_flops,
    served_for,
)
from scaling_core.optimum.numeric import numeric_optimal
from scaling_core.optimum.overtraining import (
    Overtrained,
    OvertrainingCurve,
    overtrained_to,
    overtraining_curve,
    smaller_model,
    standing,
    tokens_for,
)
from scaling_core.optimum.repeated import (
    DataWall,
    EpochsCurve,
    RepeatedOptimum,
    compute_wall,
    data_limited,
    data_wall,
    epochs_curve,
    loss_limit,
    wall_at_epochs,
)
from scaling_core.optimum.repetition import token_worth, worthless_epochs
from scaling_core.optimum.verdict import NEAR_OPTIMAL, Status, Verdict, judge

__all__ = [
    "NEAR_OPTIMAL",
    "Allocation",
    "Band",
    "DataWall",
    "EpochsCurve",
    "ExponentBand",
    "InferenceOptimum",
    "Interval",
    "Overtrained",
    "OvertrainingCurve",
    "RepeatedOptimum",
    "Spread",
    "Status",
    "Verdict",
    "best_sizes",
    "compute_wall",
    "data_limited",
    "data_wall",
    "epochs_curve",
    "exponent_band",
    "exponents",
    "frontier",
    "inference_flops",
    "inference_optimal",
    "isoflop",
    "judge",
    "lifetime_flops",
    "loss_band",
    "loss_limit",
    "numeric_optimal",
    "optimal",
    "optimal_for_compute",
    "optimal_for_loss",
    "optimal_for_params",
    "optimal_for_tokens",
    "optimum_band",
    "overtrained_to",
    "overtraining_curve",
    "served_for",
    "smaller_model",
    "standing",
    "token_worth",
    "tokens_for",
    "twenty_to_one",
    "wall_at_epochs",
    "worthless_epochs",
]
