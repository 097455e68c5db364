"""Learning curves: where a run will end, whether it is where the law says, and how well predictions did."""

from scaling_core.curves.curve import Cooled, Drop, LearningCurve, Schedule
from scaling_core.curves.drops import drops
from scaling_core.curves.extrapolate import Extrapolation, certain, extrapolate
from scaling_core.curves.monitor import Standing, Verdict, where
from scaling_core.curves.score import Foretold, Score, ScoreRow, score, wilson

__all__ = [
    "Cooled",
    "Drop",
    "Extrapolation",
    "Foretold",
    "LearningCurve",
    "Schedule",
    "Score",
    "ScoreRow",
    "Standing",
    "Verdict",
    "certain",
    "drops",
    "extrapolate",
    "score",
    "where",
    "wilson",
]
