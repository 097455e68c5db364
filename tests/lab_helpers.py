"""Plans, calibrations and rows for the tests of the lab: made up, but of the shapes that a real machine gives."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from scaling_core.flops import flops_per_token
from scaling_core.lab import rules
from scaling_core.lab.plan import make_plan
from scaling_core.lab.records import Calibration, Plan, SpeedPoint
from scaling_core.lab.spec import CorpusSpec, DeviceName, SweepSpec
from scaling_core.laws import ChinchillaLaw
from scaling_core.runs.liveness import identity
from scaling_core.runs.rows import PredictionRow, RunRow
from scaling_core.runs.store import Store

LAW = ChinchillaLaw(E=1.2, A=60.0, B=80.0, alpha=0.36, beta=0.33)
CORPUS: dict[str, Any] = {"name": "made up", "hash": "0" * 64, "train_bytes": 10_000_000}


def calibration(
    gflops: float = 60.0, *, device: DeviceName = "cpu", memory: float = 16e9, refusal: str | None = None
) -> Calibration:
    """A machine that trains at `gflops`, less for models narrower than 128."""
    speeds = []
    for index in (0, 3, 6, 9, 12):
        shape = rules.ladder_shapes()[index]
        cost = flops_per_token(n_layer=shape.n_layer, d_model=shape.d_model, vocab_size=256, context=128)
        rate = gflops * 1e9 * min(1.0, (shape.d_model / 128) ** 0.5) / cost
        speeds.append(SpeedPoint(shape=shape, batch_tokens=4096, tokens_per_second=rate, memory_bytes=500_000_000))
    return Calibration(
        device=device,
        device_name="made up",
        torch_version="2.13.0",
        cores=2,
        memory_bytes=int(memory),
        startup_seconds=5.0,
        speeds=tuple(speeds),
        made_at=1.7e9,
        refusal=refusal,
    )


def small_plan(seed: int = 0) -> Plan:
    """Four sizes at three short horizons, the largest size held out."""
    spec = SweepSpec(
        mode="smoke",
        device="cpu",
        corpus=CorpusSpec(),
        shapes=rules.ladder_shapes()[:4],
        horizons=(2.0, 4.0, 8.0),
        seed=seed,
    )
    return make_plan(spec, calibration())


def register(home: Path, plan: Plan, *, pid: int | None = None, created: float | None = None) -> str:
    """Register the plan's sweep, by default as trained by this very process; returns its id."""
    own, own_created = identity()
    with Store.open_writer(home) as store:
        store.register_sweep(
            plan,
            CORPUS,
            {"device": "made up"},
            own if pid is None else pid,
            own_created if created is None else created,
        )
    return plan.spec.id


def finish_runs(home: Path, plan: Plan, *, held_out: bool = False) -> None:
    """Store a loss on the planted LAW for every run, held-out ones only if asked."""
    with Store.open_writer(home) as store:
        for run in plan.runs:
            if held_out or not run.held_out:
                store.finish_run(
                    plan.spec.id,
                    run.id,
                    loss=float(LAW.loss(run.params, run.tokens)),
                    se=0.004,
                    bits_per_byte=float(LAW.loss(run.params, run.tokens)) / 0.6931471805599453,
                    seconds=2.0 * run.seconds,
                    tokens=run.tokens,
                    unique_tokens=run.tokens,
                )


def prediction(plan: Plan, run_id: str, **changes: Any) -> PredictionRow:
    """A prediction for a run of the plan, 2% above the planted law."""
    run = next(run for run in plan.runs if run.id == run_id)
    loss = 1.02 * float(LAW.loss(run.params, run.tokens))
    values: dict[str, Any] = {
        "sweep": plan.spec.id,
        "run_id": run_id,
        "params": run.params,
        "tokens": run.tokens,
        "loss": loss,
        "low": 0.95 * loss,
        "high": 1.05 * loss,
        "level": 0.95,
        "form": "chinchilla",
        "constants": LAW.constants,
        "fitted_runs": tuple(one.id for one in plan.runs if not one.held_out),
        "made_at": time.time(),
    }
    return PredictionRow(**{**values, **changes})


def rows_of(plan: Plan) -> list[RunRow]:
    """The rows of a plan's runs as they are stored before anything is trained."""
    return [
        RunRow(
            sweep=plan.spec.id,
            id=run.id,
            track=run.track,
            rung=run.rung,
            horizon=run.horizon,
            seed=run.seed,
            rate_factor=run.rate_factor,
            held_out=run.held_out,
            params=run.params,
            params_non_embedding=run.params_non_embedding,
            params_total=run.params_total,
            planned_tokens=run.tokens,
            flops=run.flops,
            flops_exact=run.flops_exact,
            line_key=run.track,
            key=run.id,
            state="waiting",
            tokens=0,
            loss=None,
            se=None,
            bits_per_byte=None,
            censored=False,
            copied_from=None,
            unique_tokens=None,
            seconds=None,
            started_at=None,
            finished_at=None,
            message=None,
        )
        for run in plan.runs
    ]
