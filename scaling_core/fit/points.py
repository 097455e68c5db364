"""Measured runs: parameters, tokens, loss. The one shape in which data reaches a fit, checked where it enters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.errors import InputError
from scaling_core.language import t

LARGEST = 1e40
"""No value of a run exceeds this or falls below its inverse, so that products of two stay floats."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPoints:
    """Runs to fit: N in parameters, D in tokens, loss in nats per token, each of shape (n,).

    se: standard error of each loss, nats per token, or None. unique: unique tokens U of each run, those of its D that
    were seen for the first time, or None. group: label of each run's cluster (its budget, its training run) or None.
    tokenizer: what each run's tokens were cut by, or None. label: name of each run, or None.
    """

    N: FloatArray
    D: FloatArray
    loss: FloatArray
    se: FloatArray | None = None
    unique: FloatArray | None = None
    group: tuple[str, ...] | None = None
    tokenizer: tuple[str, ...] | None = None
    label: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        *,
        N: Sequence[float] | FloatArray,
        D: Sequence[float] | FloatArray,
        loss: Sequence[float] | FloatArray,
        se: Sequence[float] | FloatArray | None = None,
        unique: Sequence[float] | FloatArray | None = None,
        group: Sequence[str] | None = None,
        tokenizer: Sequence[str] | None = None,
        label: Sequence[str] | None = None,
    ) -> RunPoints:
        """Checked copies; raises InputError where lengths differ or a value is not a positive finite number."""
        numbers = {"N": N, "D": D, "loss": loss, "se": se, "unique": unique}
        texts = {"group": group, "tokenizer": tokenizer, "label": label}
        columns = {name: np.array(values, dtype=np.float64) for name, values in numbers.items() if values is not None}
        n = columns["N"].size
        for name, values in columns.items():
            if values.ndim != 1 or values.size != n:
                raise _uneven(name, values.size, n)
            bad = ~((values >= 1.0 / LARGEST) & (values <= LARGEST))
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                allowed = t(
                    "it must be a positive finite number between {least} and {most}",
                    least=f"{1.0 / LARGEST:g}",
                    most=f"{LARGEST:.0e}".replace("+", ""),
                )
                raise InputError(t("{name} of run {row}", name=name, row=row + 1), float(values[row]), allowed)
        for name, labels in texts.items():
            if labels is not None and len(labels) != n:
                raise _uneven(name, len(labels), n)
        words = {name: None if labels is None else tuple(map(str, labels)) for name, labels in texts.items()}
        return cls(
            N=columns["N"],
            D=columns["D"],
            loss=columns["loss"],
            se=columns.get("se"),
            unique=columns.get("unique"),
            group=words["group"],
            tokenizer=words["tokenizer"],
            label=words["label"],
        )

    def __len__(self) -> int:
        return int(self.N.size)

    @property
    def C(self) -> FloatArray:
        """Training compute 6 N D in FLOP, shape (n,)."""
        return 6.0 * self.N * self.D

    def variable(self, name: str) -> FloatArray:
        """N, D or C by name, shape (n,)."""
        return {"N": self.N, "D": self.D, "C": self.C}[name]

    def sorted(self) -> RunPoints:
        """The same runs by N, D, loss, U and se, so that a fit is the same to the bit for any order of rows."""
        ties = [values for values in (self.se, self.unique) if values is not None]
        return self.subset(np.lexsort((*ties, self.loss, self.D, self.N)))

    def subset(self, keep: BoolArray | IndexArray) -> RunPoints:
        """The runs that `keep` picks: a mask of shape (n,), or positions."""
        return RunPoints(
            N=self.N[keep],
            D=self.D[keep],
            loss=self.loss[keep],
            se=None if self.se is None else self.se[keep],
            unique=None if self.unique is None else self.unique[keep],
            group=_picked(self.group, keep),
            tokenizer=_picked(self.tokenizer, keep),
            label=_picked(self.label, keep),
        )


def _uneven(name: str, count: int, n: int) -> InputError:
    """Why a column of `count` values cannot stand beside one of n."""
    return InputError(
        name,
        t("{count} values", count=count),
        t("every column must have the same length, here {length}", length=n),
    )


def _picked(labels: tuple[str, ...] | None, keep: BoolArray | IndexArray) -> tuple[str, ...] | None:
    """The labels at the places that `keep` picks."""
    return None if labels is None else tuple(np.array(labels, dtype=object)[keep].tolist())
