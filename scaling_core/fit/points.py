"""Measured runs: parameters, tokens, loss. The one shape in which data reaches a fit, checked where it enters."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scaling_core.arrays import BoolArray, FloatArray, IndexArray
from scaling_core.errors import InputError
from scaling_core.units import parse_quantity

MAX_BYTES = 64 * 1024 * 1024
MAX_ROWS = 1_000_000
NAMES: dict[str, tuple[str, ...]] = {
    "N": ("n", "params", "parameters", "model_size", "n_params", "num_params", "modelsize"),
    "D": ("d", "tokens", "training_tokens", "train_tokens", "n_tokens", "num_tokens", "data"),
    "C": ("c", "flops", "flop", "compute", "training_flop", "training_flops", "train_flops"),
    "loss": ("loss", "val_loss", "validation_loss", "final_loss", "eval_loss", "test_loss"),
    "se": ("se", "stderr", "std_err", "standard_error", "loss_se"),
    "group": ("group", "run", "family", "isoflop", "budget"),
}
"""The column names under which each quantity is recognised, compared without case, spaces or dots."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunPoints:
    """Runs to fit: N in parameters, D in tokens, loss in nats per token, each of shape (n,).

    se: standard error of each loss or None. group: label of each run's cluster or None.
    """

    N: FloatArray
    D: FloatArray
    loss: FloatArray
    se: FloatArray | None = None
    group: tuple[str, ...] | None = None

    @classmethod
    def of(
        cls,
        *,
        N: Sequence[float] | FloatArray,
        D: Sequence[float] | FloatArray,
        loss: Sequence[float] | FloatArray,
        se: Sequence[float] | FloatArray | None = None,
        group: Sequence[str] | None = None,
    ) -> RunPoints:
        """Checked copies; raises InputError where lengths differ or a value is not a positive finite number."""
        columns = {name: np.array(values, dtype=np.float64) for name, values in (("N", N), ("D", D), ("loss", loss))}
        if se is not None:
            columns["se"] = np.array(se, dtype=np.float64)
        n = columns["N"].size
        for name, values in columns.items():
            if values.ndim != 1 or values.size != n:
                raise InputError(name, f"{values.size} values", f"every column must have the same length, here {n}")
            bad = ~(np.isfinite(values) & (values > 0))
            if bad.any():
                row = int(np.flatnonzero(bad)[0])
                raise InputError(f"{name} of run {row + 1}", float(values[row]), "it must be a positive finite number")
        if group is not None and len(group) != n:
            raise InputError("group", f"{len(group)} values", f"every column must have the same length, here {n}")
        return cls(
            N=columns["N"],
            D=columns["D"],
            loss=columns["loss"],
            se=columns.get("se"),
            group=None if group is None else tuple(str(label) for label in group),
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
        """The same runs by N, then D, then loss, so that a fit is the same to the bit for any order of rows."""
        return self.subset(np.lexsort((self.loss, self.D, self.N)))

    def subset(self, keep: BoolArray | IndexArray) -> RunPoints:
        """The runs that `keep` picks: a mask of shape (n,), or positions."""
        return RunPoints(
            N=self.N[keep],
            D=self.D[keep],
            loss=self.loss[keep],
            se=None if self.se is None else self.se[keep],
            group=None if self.group is None else tuple(np.array(self.group)[keep].tolist()),
        )


def read_csv(source: Path | bytes | str) -> RunPoints:
    """Runs from a CSV file (a Path), its bytes or its text.

    Needs a header with any two of N, D, C (the third follows from C = 6 N D) and the loss, under the names in `NAMES`;
    numbers may be written 70B or 5.76e23. Raises InputError naming the column or the line that is wrong.
    """
    reader = csv.reader(io.StringIO(_text(source), newline=""))
    try:
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}", str(error), "the file must be a CSV table") from error
    if not rows:
        raise InputError("file", "no rows", "it must hold a header and at least one run")
    if len(rows) - 1 > MAX_ROWS:
        raise InputError("file", f"{len(rows) - 1} rows", f"it may hold at most {MAX_ROWS}")
    columns = _columns(rows[0][1])
    values: dict[str, list[float]] = {name: [] for name in columns if name != "group"}
    group: list[str] = []
    for line, row in rows[1:]:
        for name, index in columns.items():
            cell = row[index].strip() if index < len(row) else ""
            if name == "group":
                group.append(cell[:200])
            else:
                values[name].append(parse_quantity(cell, field=f"line {line}, column {name}"))
    known = {name: np.array(column, dtype=np.float64) for name, column in values.items()}
    if "N" not in known:
        known["N"] = known["C"] / (6.0 * known["D"])
    if "D" not in known:
        known["D"] = known["C"] / (6.0 * known["N"])
    return RunPoints.of(
        N=known["N"],
        D=known["D"],
        loss=known["loss"],
        se=known.get("se"),
        group=group if "group" in columns else None,
    )


def _text(source: Path | bytes | str) -> str:
    if isinstance(source, str):
        return source
    if isinstance(source, Path):
        try:
            with source.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputError("file", str(source), f"it could not be read ({error.strerror or error})") from error
    else:
        data = source
    if len(data) > MAX_BYTES:
        raise InputError("file", f"over {MAX_BYTES} bytes", "a table of runs may hold 64 MiB")
    if b"\x00" in data:
        raise InputError("file", "binary data", "it must be a CSV table in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("file", f"byte {error.start} is not UTF-8", "it must be a CSV table in UTF-8") from error


def _columns(header: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, title in enumerate(header):
        key = title.strip().lower().replace(" ", "_").replace(".", "_").replace("-", "_")
        for name, spellings in NAMES.items():
            if key in spellings:
                if name in found:
                    raise InputError("header", title, f"{name} is already given by column {header[found[name]]!r}")
                found[name] = index
    if "loss" not in found:
        raise InputError("header", ", ".join(header), f"one column must be the loss ({', '.join(NAMES['loss'])})")
    if sum(name in found for name in "NDC") < 2:
        raise InputError("header", ", ".join(header), "it must hold two of N (params), D (tokens) and C (flops)")
    return found
