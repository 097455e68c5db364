"""What benchmarks/early_stop.py counts, on planted curves in a store of its own."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import early_stop
from scaling_core.curves import Extrapolation
from scaling_core.lab import rules
from scaling_core.lab.plan import make_plan
from scaling_core.lab.records import RunPlan
from scaling_core.lab.spec import CorpusSpec, SweepSpec
from scaling_core.runs.rows import CurveRow
from scaling_core.runs.store import Store
from tests.lab_helpers import LAW, calibration, finish_runs, register

PLAN = make_plan(
    SweepSpec(
        mode="smoke", device="cpu", corpus=CorpusSpec(), shapes=rules.ladder_shapes()[:3], horizons=(5.0, 10.0, 20.0)
    ),
    calibration(),
)
DROP = -0.03


@pytest.fixture
def home(lab_home: Path) -> Path:
    """A finished sweep whose cooled losses lie on LAW and whose trunks lie 3% above it, with 1% noise."""
    register(lab_home, PLAN)
    finish_runs(lab_home, PLAN, held_out=True)
    rng = np.random.default_rng(0)
    with Store.open_writer(lab_home) as store:
        for line in PLAN.lines:
            tracks: list[tuple[str, int, int, RunPlan | None]] = [(line.track, 0, line.trunk_steps, None)]
            tracks += [(run.id, run.decay_from, run.steps, run) for run in line.runs]
            tokens = line.runs[0].tokens // line.runs[0].steps
            rows = []
            for track, first, last, run in tracks:
                for step in range(first + 2, last + 1, 2):
                    share = 0.0 if run is None else (step - run.decay_from) / (run.steps - run.decay_from)
                    loss = float(LAW.loss(line.runs[0].params, step * tokens)) * math.exp(-DROP * (1 - share**0.5))
                    rate = rules.schedule(
                        step - 1,
                        peak=5e-3,
                        warmup=line.warmup_steps,
                        decay_from=None if run is None else run.decay_from,
                        steps=None if run is None else run.steps,
                    )
                    rows.append(
                        CurveRow(
                            track=track,
                            step=step,
                            tokens=step * tokens,
                            flops=1.0,
                            train_loss=loss * math.exp(0.01 * rng.standard_normal()),
                            validation_loss=None,
                            learning_rate=rate,
                            tokens_per_second=1.0,
                            memory_bytes=1,
                            at=0.0,
                        )
                    )
            store.add_curve(PLAN.spec.id, rows)
        store.set_state(PLAN.spec.id, "finished")
    return lab_home


def test_planted_curves_are_foretold_within_their_intervals(home: Path) -> None:
    sweeps = early_stop.read(home, [])
    assert [(name, len(lines)) for name, lines in sweeps] == [(PLAN.spec.id, 3)]
    asked, reached = early_stop.foretold(sweeps)
    told = [one for one in asked if one.error is not None]
    assert len(told) > 60
    assert np.median([abs(one.error) for one in told if one.error is not None]) < 0.015
    assert sum(one.within for one in told) / len(told) > 0.9
    assert sorted({round(one.factor) for one in reached if one.factor is not None}) == [2, 4]
    assert len(reached) == 3 * len(PLAN.lines)
    assert early_stop.read(home, ["live-0123456789"]) == []


def test_what_is_saved_is_the_steps_that_nobody_needs(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeps = early_stop.read(home, [])
    never = early_stop.stopping(sweeps, 1e-6)
    assert (never["stopped"], never["saved"], never["median_error"]) == (0, pytest.approx(0.0), None)
    sure = Extrapolation(loss=2.0, low=1.99, high=2.01, level=0.95, families={}, seen=0.5, note="")

    def from_three_quarters(curve: object, run: object, evidence: object) -> Extrapolation | None:
        return sure if curve.seen >= 0.75 * run.tokens else None  # type: ignore[attr-defined]  # stands in for both

    monkeypatch.setattr(early_stop, "foretell", from_three_quarters)
    found = early_stop.stopping(sweeps, 0.01)
    assert found["stopped"] == found["runs"] == 6, "the three of the held-out size are trained to their end"
    spent = whole = 0
    for line in PLAN.lines:
        cost = line.runs[0].params * line.batch_sequences
        whole += cost * (line.trunk_steps + sum(run.steps - run.decay_from for run in line.runs))
        if line.runs[0].held_out:
            spent += cost * (line.trunk_steps + sum(run.steps - run.decay_from for run in line.runs))
        else:  # the trunk is trained to where the longest run was stopped, and no cooldown at all
            longest = line.runs[-1]
            every = longest.steps // 25
            spent += cost * every * next(k for k in range(26) if every * k >= 0.75 * longest.steps - 1)
    assert found["saved"] == pytest.approx(1.0 - spent / whole, abs=0.02)
    assert found["seen_share"] == pytest.approx(0.76, abs=0.03)


def test_the_command_prints_its_tables(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["early_stop.py", "--home", str(home), "--tolerances", "3%,10%", "--monitor"]
    monkeypatch.setattr(early_stop, "BOOTSTRAP", 20)
    monkeypatch.setattr(sys, "argv", [*command, "--json"])
    early_stop.main()
    found = json.loads(capsys.readouterr().out)
    assert [row["tolerance"] for row in found["stopping"]] == [0.03, 0.1]
    assert found["stopping"][1]["saved"] > found["stopping"][0]["saved"] > 0.0
    assert found["stopping"][1]["worst_error"] < 0.1
    by_lift = {row["lift"]: row for row in found["monitor"]}
    assert by_lift[0.0]["lines"] == 1
    assert by_lift[0.0]["on_called"] == 0
    monkeypatch.setattr(sys, "argv", command)
    early_stop.main()
    text = capsys.readouterr().out
    assert "compute saved" in text
    assert "times as far" in text
    assert "ended off the law" in text


def test_a_store_without_a_finished_sweep_is_a_sentence(
    lab_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["early_stop.py", "--home", str(lab_home)])
    with pytest.raises(SystemExit):
        early_stop.main()
    assert "there is no finished sweep with its curves in that store" in capsys.readouterr().err
