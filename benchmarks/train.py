"""How fast tiny models are trained, beside the loops that others use: all in one run on one machine.

    python benchmarks/train.py --nanogpt CHECKOUT --python PATH     # nanoGPT's train.py as it is, transformers' Trainer
    python benchmarks/train.py --shapes 4x128 --rounds 3            # quicker, and rougher
    python benchmarks/train.py --peers none --lines --ladder        # how the lab shares out its own work

Same shape, same tokens a step, same precision; and no ratio before ours and the peer have given the same loss and
gradient norm from the same weights. A ratio is the peer's time for a step over ours, each the median of its steps in a
round; ours is measured before and after the peer, and the median over the rounds has a bootstrap interval.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fit import available, duration, machine, on
from benchmarks.train_ladder import HORIZONS, ladder_plan, ladder_row
from benchmarks.train_measure import (
    CONTEXT,
    SEQUENCES,
    STEPS,
    Bench,
    Disagreement,
    NotHere,
    compare,
    params,
    product,
    side_by_side,
)
from scaling_core.lab import rules
from scaling_core.lab.spec import PRECISIONS, Shape
from scaling_core.output import print_json

tell = functools.partial(print, flush=True)
SHAPES = "2x64,4x64,4x128,6x256"
LADDER = "2x32,2x48,2x64,4x80,4x128"
NAMES = {"nanogpt": "nanoGPT, its train.py as it is", "transformers": "transformers, GPT-2 with its Trainer"}
HOW = {"nanogpt": "--nanogpt CHECKOUT", "transformers": "--python PATH, with transformers and accelerate"}
TARGET = 1.3


def shape_of(word: str) -> Shape:
    """4x128 as a shape, with as many heads as the lab's rule gives that width."""
    layers, _, width = word.partition("x")
    return Shape(n_layer=int(layers), d_model=int(width), n_head=rules.heads_for(int(width)))


def gflops(shape: Shape, seconds: float) -> float:
    """6 N D over the seconds of a step, in GFLOP/s; N with head, without positions."""
    return 6e-9 * params(shape) * SEQUENCES * CONTEXT / seconds


def tell_row(row: dict[str, Any], shape: Shape, peak: float) -> None:
    """One peer at one shape."""
    low, high = row["interval"]
    own, peer = gflops(shape, row["ours_seconds"]), gflops(shape, row["seconds"])
    tell(
        f"{NAMES[row['peer']]}, {row['shape']} ({row['params']:,} parameters): ratio {row['ratio']:.3f} "
        f"[{low:.3f}, {high:.3f}]{'' if row['ratio'] >= TARGET else f', below {TARGET}'}\n"
        f"  a step takes {duration(row['seconds'])}, ours {duration(row['ours_seconds'])}; 6ND: {peer:.1f} and "
        f"{own:.1f} GFLOP/s, {100 * peer / peak:.0f}% and {100 * own / peak:.0f}% of the product of matrices\n"
        f"  same weights, same batch: loss {row['peer_loss']:.6f} and {row['loss']:.6f}, gradient norm "
        f"{row['peer_norm']:.6f} and {row['norm']:.6f}"
    )


def tell_lines(row: dict[str, Any], cores: int) -> None:
    """Lines side by side against one on all cores."""
    low, high = row["interval"]
    tell(
        f"{row['shape']} with {row['sequences']} sequences a step: {cores} lines with a core each take "
        f"{row['ratio']:.3f} [{low:.3f}, {high:.3f}] times the steps of one line on {on(cores)}."
    )


def tell_ladder(rows: list[dict[str, Any]]) -> None:
    """A ladder both ways, line by line and in all."""
    for row in rows:
        how = "both run in full" if row["measured"] else "planned steps times the measured time of one"
        tell(
            f"{row['shape']}, {row['runs']} horizons: {duration(row['shared_seconds'])} as a trunk with branches, "
            f"{duration(row['apart_seconds'])} as independent runs ({row['steps_shared']:,} and "
            f"{row['steps_apart']:,} steps of {duration(row['step_seconds'])}; {how})."
        )
    shared, apart = (sum(row[f"{key}_seconds"] for row in rows) for key in ("shared", "apart"))
    tell(f"In all {duration(shared)} against {duration(apart)}: {shared / apart:.3f} of it.")


def arguments(given: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Training speed, ours and that of others, in one run on one machine.")
    parser.add_argument("--nanogpt", type=Path, help="folder of a nanoGPT checkout, which stays as it is")
    parser.add_argument("--python", default=sys.executable, help="the Python in which transformers is installed")
    parser.add_argument("--peers", default=",".join(STEPS), help=f"some of {','.join(STEPS)}, or none")
    parser.add_argument("--shapes", default=SHAPES, help="layers x width, with commas between")
    parser.add_argument("--precision", default="float32", choices=PRECISIONS, help="of ours and of transformers")
    parser.add_argument("--rounds", type=int, default=7, help="parts in which ours and the peer take turns")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a part")
    parser.add_argument("--lines", action="store_true", help="lines side by side against one on all cores")
    parser.add_argument("--ladder", action="store_true", help="trunks with branches against independent runs")
    parser.add_argument("--ladder-shapes", default=LADDER, help="for --lines and --ladder")
    parser.add_argument("--run-below", type=float, default=30.0, help="seconds of a line up to which it is run in full")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of sentences")
    chosen = parser.parse_args(given)
    try:
        chosen.shapes = [shape_of(word) for word in chosen.shapes.split(",")]
        chosen.ladder_shapes = tuple(shape_of(word) for word in chosen.ladder_shapes.split(","))
    except ValueError as error:
        parser.error(f"a shape is layers x width, such as 4x128 ({error})")
    chosen.peers = [] if chosen.peers == "none" else chosen.peers.split(",")
    if not set(chosen.peers) <= set(STEPS):
        parser.error(f"--peers must be some of {','.join(STEPS)}, or none")
    if chosen.rounds < 1 or chosen.seconds <= 0:
        parser.error("--rounds must be at least 1 and --seconds above 0")
    return chosen


def main(given: list[str] | None = None) -> int:
    """Measure and print; 2 for a bad input, 1 where a peer does not compute the same, 0 otherwise."""
    chosen = arguments(given)
    with tempfile.TemporaryDirectory(prefix="train-benchmark-") as folder:
        bench = Bench(
            nanogpt=chosen.nanogpt and chosen.nanogpt.resolve(),
            python=chosen.python,
            precision=chosen.precision,
            rounds=chosen.rounds,
            seconds=chosen.seconds,
            folder=Path(folder),
        )
        try:
            with contextlib.redirect_stdout(io.StringIO() if chosen.json else sys.stdout):
                report = measure(bench, chosen)
        finally:
            bench.close()
    if chosen.json:
        print_json(report)
    return 1 if report["disagreements"] else 0


def measure(bench: Bench, chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure everything, telling of each as soon as it is known."""
    begun, load, here, cores = time.perf_counter(), os.getloadavg()[0], machine(), available()
    here["torch"] = version("torch")
    tell(
        f"{SEQUENCES} sequences of {CONTEXT} bytes a step, {bench.precision}.\n{here['processor']}, {on(cores)}, "
        f"{here['system']}, Python {here['python']}, torch {here['torch']}."
    )
    peaks: dict[str, float] = {precision: product(bench, precision, cores) for precision in PRECISIONS}
    tell("Product of matrices: " + ", ".join(f"{peak:.1f} GFLOP/s in {name}" for name, peak in peaks.items()) + ".\n")
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    disagreements: list[str] = []
    for shape in chosen.shapes:
        for kind in chosen.peers:
            if kind in missing:
                continue
            try:
                rows.append(compare(bench, kind, shape))
                tell_row(rows[-1], shape, peaks[bench.precision])
            except NotHere as error:
                missing[kind] = f"{error}; {HOW[kind]}"
                tell(f"{NAMES[kind]}: not measured ({missing[kind]}).")
            except Disagreement as error:
                disagreements.append(str(error))
                tell(f"DISAGREES: {error}.")
    plan = ladder_plan(chosen.ladder_shapes, HORIZONS) if chosen.lines or chosen.ladder else ()
    lines: list[dict[str, Any]] = []
    for one in plan if chosen.lines else ():
        lines.append(side_by_side(bench, one.shape, one.batch_sequences, cores))
        tell_lines(lines[-1], cores)
    ladder = [ladder_row(bench, one, chosen.run_below) for one in plan if chosen.ladder]
    if ladder:
        tell_ladder(ladder)
    again = {precision: product(bench, precision, cores) for precision in PRECISIONS}
    took, loads = time.perf_counter() - begun, [load, os.getloadavg()[0]]
    said = ", ".join(f"{peak:.1f}" for peak in again.values())
    tell(
        f"\nIn {duration(took)}; products at the end: {said}; load average {loads[0]:.1f} before, {loads[1]:.1f} after."
    )
    return {
        "machine": here,
        "precision": bench.precision,
        "product_gflops": peaks,
        "product_gflops_after": again,
        "peers": rows,
        "lines": lines,
        "ladder": ladder,
        "versions": bench.versions,
        "missing": missing,
        "disagreements": disagreements,
        "load": loads,
        "seconds": took,
    }


if __name__ == "__main__":
    sys.exit(main())
