"""A training that was done is not done again: digests, and what a sweep takes over from another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scaling_core.lab import rules
from scaling_core.lab.identity import init_seed, line_key, run_key
from scaling_core.lab.plan import make_plan
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import SweepSpec
from scaling_core.runs.rows import CurveRow
from scaling_core.runs.store import Store
from tests.lab_helpers import calibration, finish_runs, register, small_plan

BASE = small_plan()


def changed(**fields: object) -> Plan:
    return make_plan(replace(BASE.spec, **fields), calibration())  # type: ignore[arg-type]  # fields by name


def keys(spec: SweepSpec, corpus: str = "a") -> dict[str, str]:
    return {run.id: run_key(spec, line, run, corpus) for line in rules.plan_lines(spec) for run in line.runs}


def test_what_decides_a_weight_is_in_the_digest() -> None:
    mine = keys(BASE.spec)
    assert len(set(mine.values())) == len(mine)
    assert keys(BASE.spec) == mine
    for other in (
        keys(BASE.spec, "another text"),
        keys(replace(BASE.spec, seed=5)),
        keys(replace(BASE.spec, context=64)),
        keys(replace(BASE.spec, dropout=0.1)),
        keys(replace(BASE.spec, rate_coefficient=4e-3)),
        keys(replace(BASE.spec, rules=1)),
        keys(replace(BASE.spec, device="mps")),
        keys(replace(BASE.spec, precision="bfloat16")),
        keys(replace(BASE.spec, decay_fraction=0.3)),
    ):
        assert not set(other.values()) & set(mine.values())


def test_a_longer_trunk_is_the_same_line() -> None:
    longer = replace(BASE.spec, horizons=(*BASE.spec.horizons, 16.0))
    pairs = zip(rules.plan_lines(BASE.spec), rules.plan_lines(longer), strict=True)
    for old, new in pairs:
        assert line_key(BASE.spec, old, "a") == line_key(longer, new, "a")
        assert new.trunk_steps > old.trunk_steps
    assert set(keys(BASE.spec).values()) < set(keys(longer).values())


def test_another_seed_of_the_sweep_is_another_seed_of_every_line() -> None:
    plan = changed(seeds=(3, 2, 1, 1))
    for seed in (1, 7):
        assert plan.with_seed(seed).lines == make_plan(replace(plan.spec, seed=seed), calibration()).lines
        assert plan.with_seed(seed).spec == replace(plan.spec, seed=seed)


def test_every_size_and_seed_begins_with_weights_of_its_own() -> None:
    seeds = {init_seed(seed, shape) for seed in range(50) for shape in rules.ladder_shapes()}
    assert len(seeds) == 50 * len(rules.ladder_shapes())


@pytest.mark.parametrize(
    ("fields", "new"),
    [
        ({"horizons": (*BASE.spec.horizons, 16.0)}, ["r0-h16", "r1-h16", "r2-h16", "r3-h16"]),
        ({"seeds": (2, 1, 1, 1)}, ["r0-s1-h2", "r0-s1-h4", "r0-s1-h8"]),
        ({"shapes": rules.ladder_shapes()[:5]}, ["r4-h2", "r4-h4", "r4-h8"]),
        ({"held_out": 2}, []),
    ],
)
def test_an_extended_ladder_trains_only_what_is_new(lab_home: Path, fields: dict[str, object], new: list[str]) -> None:
    register(lab_home, BASE)
    finish_runs(lab_home, BASE, held_out=True)
    with Store.open_writer(lab_home) as store:
        point = CurveRow(track="r0-h2", step=5, tokens=5, flops=1.0, train_loss=2.0, validation_loss=None,
                         learning_rate=0.1, tokens_per_second=1.0, memory_bytes=1, at=1.0)  # fmt: skip
        store.add_curve(BASE.spec.id, [point])
    plan = changed(**fields)
    register(lab_home, plan)
    with Store.open_writer(lab_home) as store:
        for run_id, twin in store.twins(plan.spec.id).items():
            store.adopt_run(plan.spec.id, run_id, twin)
        runs = {run.id: run for run in store.runs(plan.spec.id)}
        old = {run.id: run for run in store.runs(BASE.spec.id)}
        assert [run.id for run in runs.values() if run.loss is None] == new
        assert runs["r0-h2"].copied_from == BASE.spec.id
        assert (runs["r0-h2"].loss, runs["r0-h2"].finished_at) == (old["r0-h2"].loss, old["r0-h2"].finished_at)
        assert runs["r0-h2"].seconds == 0
        assert [row.step for row in store.curve(plan.spec.id)] == [5]
        assert store.twins(plan.spec.id) == {}


def test_a_loss_that_was_only_foretold_is_never_taken_over(lab_home: Path) -> None:
    register(lab_home, BASE)
    with Store.open_writer(lab_home) as store:
        store.finish_run(
            BASE.spec.id, "r0-h2", loss=2.0, se=0.1, bits_per_byte=3.0, seconds=1.0, tokens=9, unique_tokens=9,
            censored=True,
        )  # fmt: skip
    plan = changed(held_out=2)
    register(lab_home, plan)
    with Store.open_reader(lab_home) as store:
        assert store.runs(BASE.spec.id)[0].censored
        assert store.twins(plan.spec.id) == {}
