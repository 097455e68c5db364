"""Faults of science, planted in the code that trains: tokens counted wrongly, ends that were not cooled, a leak.

Each check is first run on a sound training, where it must find nothing.
"""

from __future__ import annotations

import csv
import io
import json
import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scaling_core.lab import rules
from scaling_core.lab.corpus_spec import CorpusSpec
from scaling_core.lab.oracle import OracleSpec, window_floor
from scaling_core.lab.records import LinePlan, Plan
from scaling_core.lab.spec import Shape, SweepSpec
from scaling_core.runs.results import export_csv, fit_runs, points_of, results
from scaling_core.runs.store import Store
from tests.faults.trainer import Nursery, make_plan

pytestmark = pytest.mark.slow

FED = """
import json
from scaling_core.lab.train import LineTraining
plain = LineTraining._batch
def batch(self):
    windows = plain(self)
    starts = self.order.starts(self.step, 1).ravel().tolist()
    print("fed", json.dumps([self.line.track, self._track, self.step, windows[:, 1:].numel(), starts]))
    return windows
LineTraining._batch = batch
"""
"""What every step was really fed: targets in its windows, and where in the text they begin."""


def fed(said: str) -> dict[str, dict[int, tuple[int, list[int]]]]:
    """(targets, starts) by track and step."""
    found: dict[str, dict[int, tuple[int, list[int]]]] = {}
    for line in re.findall(r"^fed (.*)$", said, re.M):
        _, track, step, targets, starts = json.loads(line)
        found.setdefault(track, {})[step] = (targets, starts)
    return found


def miscounted(home: Path, plan: Plan, said: str) -> list[str]:
    """Runs and points whose tokens, FLOP or unique tokens are not those of the batches that led to them."""
    batches = fed(said)
    wrong: list[str] = []
    with Store.open_reader(home) as store:
        rows = {run.id: run for run in store.runs(plan.spec.id)}
        points = store.curve(plan.spec.id)
    for line in plan.lines:
        for run in line.runs:
            steps = {**batches[line.track], **batches[run.id]}
            path = [batches[line.track if step < run.decay_from else run.id][step] for step in range(run.steps)]
            tokens = sum(targets for targets, _ in path)
            read = {start + at for _, starts in path for start in starts for at in range(plan.spec.context)}
            row = rows[run.id]
            if row.tokens != tokens or row.unique_tokens != len(read) or row.flops != 6.0 * row.params * tokens:
                wrong.append(run.id)
            for point in (one for one in points if one.track == run.id):
                if point.tokens != sum(targets for targets, _ in path[: point.step]):
                    wrong.append(f"{run.id} at {point.step}")
            assert len(steps) >= run.steps
    return wrong


def uncooled(home: Path, plan: Plan) -> list[str]:
    """Finished runs whose last step was not at the cooled end of their own branch."""
    with Store.open_reader(home) as store:
        rows = store.runs(plan.spec.id)
        last = {(point.track, point.step): point for point in store.curve(plan.spec.id)}
    lines: dict[str, LinePlan] = {run.id: line for line in plan.lines for run in line.runs}
    planned = {run.id: run for run in plan.runs}
    wrong = []
    for row in rows:
        point = last.get((row.id, planned[row.id].steps))
        cooled = point is not None and point.learning_rate < 0.3 * lines[row.id].learning_rate
        if row.loss is not None and not (cooled and point is not None and point.validation_loss == row.loss):
            wrong.append(row.id)
    return wrong


@pytest.fixture(scope="module")
def plan(text: Path) -> Plan:
    return make_plan(text, horizons=(1.0, 2.0))


def test_tokens_are_those_of_the_batches_that_were_fed(nursery: Nursery, lab_home: Path, plan: Plan) -> None:
    code, said = nursery.train(lab_home, plan, FED)
    assert code == 0, said
    assert miscounted(lab_home, plan, said) == []
    assert uncooled(lab_home, plan) == []


TWICE = """
from scaling_core.runs.store import Store
finish = Store.finish_run
def finish_run(self, sweep, run, *, tokens, **rest):
    finish(self, sweep, run, tokens=2 * tokens, **rest)
Store.finish_run = finish_run
"""
OPEN = "import scaling_core.lab.rules as rules\nplain_rate = rules.schedule\n" + (
    "rules.schedule = lambda step, **given: plain_rate(step, **{**given, 'decay_from': None, 'steps': None})\n"
)


def test_tokens_counted_twice_are_noticed(nursery: Nursery, lab_home: Path, plan: Plan) -> None:
    code, said = nursery.train(lab_home, plan, FED + TWICE)
    assert code == 0, said
    assert miscounted(lab_home, plan, said) == [run.id for run in plan.runs]


def test_a_window_counted_with_its_first_token_is_noticed(nursery: Nursery, lab_home: Path, plan: Plan) -> None:
    """A window holds context + 1 tokens and context targets: a count of the first is off by 1 in 128."""

    def counted(line: LinePlan) -> LinePlan:
        per_step = line.batch_sequences * (plan.spec.context + 1)
        runs = (replace(run, tokens=run.steps * per_step, flops=6.0 * run.params * run.steps * per_step)
                for run in line.runs)  # fmt: skip
        return replace(line, runs=tuple(runs))

    wrong = replace(plan, lines=tuple(counted(line) for line in plan.lines))
    code, said = nursery.train(lab_home, wrong, FED)
    assert code == 0, said
    assert miscounted(lab_home, wrong, said) == [run.id for run in plan.runs]


def test_points_from_the_middle_of_a_schedule_are_noticed(nursery: Nursery, lab_home: Path, plan: Plan) -> None:
    code, said = nursery.train(lab_home, plan, OPEN)
    assert code == 0, said
    assert uncooled(lab_home, plan) == [run.id for run in plan.runs]


def test_only_cooled_ends_enter_a_fit_an_answer_or_a_file(
    undisturbed: tuple[Plan, dict[str, Any]], nursery: Nursery, lab_home: Path
) -> None:
    """Of a sweep that was cut short in the trunk of its second size: a curve of many points, and three runs."""
    whole, _ = undisturbed
    training = nursery.start(lab_home, whole)

    def reached() -> int:
        with Store.open_reader(lab_home) as store:
            return max((point.step for point in store.curve(whole.spec.id) if point.track == "r1"), default=0)

    training.wait_for(lambda: reached() >= 60)
    assert training.kill() == -signal.SIGKILL
    with Store.open_reader(lab_home) as store:
        rows, points = store.runs(whole.spec.id), store.curve(whole.spec.id)
    done = {run.id: run for run in whole.runs if any(row.id == run.id and row.loss is not None for row in rows)}
    assert 3 <= len(done) < 9
    assert any(point.track == "r1" and point.step >= 60 for point in points)
    assert uncooled(lab_home, whole) == []
    wanted = [(float(run.params), float(run.tokens)) for run in done.values()]
    fitted = points_of(rows)
    assert list(zip(fitted.N.tolist(), fitted.D.tolist(), strict=True)) == wanted
    found = results(whole.spec.id, lab_home, bootstrap=0)
    assert [(point["params"], point["tokens"]) for point in found["points"]] == wanted
    written = list(csv.DictReader(io.StringIO(export_csv(whole.spec.id, lab_home))))
    assert [(float(line["params"]), float(line["tokens"])) for line in written] == wanted


def test_the_fit_of_a_whole_sweep_has_as_many_points_as_cooled_ends(whole_lab: tuple[Path, Plan]) -> None:
    home, whole = whole_lab
    assert uncooled(home, whole) == []
    with Store.open_reader(home) as store:
        rows, points = store.runs(whole.spec.id), store.curve(whole.spec.id)
    assert len(points) > 100
    assert fit_runs(rows).n == sum(not run.held_out for run in whole.runs) == 6


LEAK = """
import torch
from torch.nn import functional as F
from scaling_core.lab.model import GPT, Block
class Leaky(Block):
    def attend(self, q, k, v):
        seen = torch.ones(q.shape[-2], q.shape[-2], dtype=torch.bool).tril(1)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
GPT.block = Leaky
"""
"""Attention that sees one token ahead."""


def test_a_leak_is_refused_before_anything_is_trained(nursery: Nursery, lab_home: Path, plan: Plan) -> None:
    code, said = nursery.train(lab_home, plan, LEAK, tested=False)
    assert code == 1
    assert "does not compute what it should: a changed token moves earlier logits" in said
    with Store.open_reader(lab_home) as store:
        assert store.sweeps() == []


def below_the_floor(home: Path, plan: Plan, floor: float) -> list[str]:
    """Finished runs whose loss is less than the language's own entropy by more than five standard errors."""
    with Store.open_reader(home) as store:
        rows = store.runs(plan.spec.id)
    return [row.id for row in rows if row.loss is not None and row.loss + 5.0 * (row.se or 0.0) < floor]


@pytest.mark.parametrize(("fault", "caught"), [("", []), (LEAK, ["r0-h16", "r1-h4", "r1-h16"])], ids=["sound", "leak"])
def test_a_leak_that_no_self_test_met_shows_below_the_entropy_of_the_oracle(
    nursery: Nursery, lab_home: Path, fault: str, caught: list[str]
) -> None:
    oracle = OracleSpec(vocab_size=16, tokens=2**17, validation_tokens=2**14, strength=1.0)
    spec = SweepSpec(
        mode="smoke", device="cpu", corpus=CorpusSpec(kind="oracle", oracle=oracle), context=32, horizons=(4.0, 16.0),
        shapes=tuple(Shape(n_layer=1, d_model=d, n_head=1) for d in (16, 24)), seed=1, held_out=1,
    )  # fmt: skip
    ladder = Plan(spec=spec, lines=rules.plan_lines(spec), seconds=1.0, memory_bytes=1)
    code, said = nursery.train(lab_home, ladder, fault)
    assert code == 0, said
    assert below_the_floor(lab_home, ladder, window_floor(oracle, context=32)) == caught
