"""The planner: ladders that fit the time and the memory, speeds that are never better than measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from scaling_core.errors import DeviceError, InputError
from scaling_core.flops import flops_per_token
from scaling_core.lab import rules
from scaling_core.lab.modes import MODE_RULES
from scaling_core.lab.plan import FORETELL_SECONDS, make_plan, make_spec, memory, run_shares, speed
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import MODES, CorpusSpec, Mode, Shape, SweepSpec
from tests.lab_helpers import calibration, small_plan

MACHINES = (30.0, 60.0, 400.0, 4000.0, 100_000.0)


def plan_of(mode: Mode, gflops: float, **options: float) -> Plan:
    machine = calibration(gflops)
    spec = make_spec(mode, machine, CorpusSpec(), **options)  # type: ignore[arg-type]  # keywords of the test
    return make_plan(spec, machine)


def sizes(plan: Plan) -> list[int]:
    return [rung.runs[0].params for rung in plan.sizes]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("gflops", MACHINES)
def test_a_ladder_fits_its_time_or_says_what_it_takes(mode: Mode, gflops: float) -> None:
    plan, asked = plan_of(mode, gflops), MODE_RULES[mode].seconds
    assert plan.seconds <= asked or f"more than the {_words(asked)}" in plan.warnings[0]
    assert len(plan.sizes) == MODE_RULES[mode].sizes
    least, horizons = MODE_RULES[mode].least_steps, MODE_RULES[mode].horizons
    for line in plan.lines:
        assert 1 <= len(line.runs) <= horizons
        assert all(run.steps >= least for run in line.runs[:-1])
    if any(len(line.runs) < horizons for line in plan.lines):
        assert any("steep first part" in warning for warning in plan.warnings)
    assert sum(run.held_out for run in plan.runs) == MODE_RULES[mode].horizons
    assert all(above >= MODE_RULES[mode].step * below for below, above in pairwise(sizes(plan)))
    assert sizes(plan)[-1] >= 2 * sizes(plan)[-2], "what is foretold costs four times what was fitted"
    fitted = [run.flops for run in plan.runs if not run.held_out]
    assert math.log10(max(fitted) / min(fitted)) >= {"smoke": 1.3, "live": 1.1}.get(mode, 1.5)
    assert len(fitted) > 5


def _words(seconds: float) -> str:
    return {20.0: "20 s", 180.0: "3 min", 3600.0: "1 h", 36_000.0: "10 h", 259_200.0: "3 days"}[seconds]


@pytest.mark.parametrize("mode", MODES)
def test_a_faster_machine_gets_a_larger_ladder(mode: Mode) -> None:
    largest = [max(run.flops for run in plan_of(mode, gflops).runs) for gflops in MACHINES]
    assert largest == sorted(largest)
    assert largest[-1] > 10 * largest[0]


@pytest.mark.parametrize(("mode", "gflops"), [("live", 4000.0), ("quick", 4000.0), ("standard", 60.0)])
def test_the_time_is_used(mode: Mode, gflops: float) -> None:
    assert plan_of(mode, gflops).seconds > 0.7 * MODE_RULES[mode].seconds


def test_a_hopelessly_slow_machine_gets_the_smallest_ladder_and_the_truth() -> None:
    plan = plan_of("live", 0.01)
    assert sizes(plan)[0] == min(
        shape.parameters(vocab_size=256, context=128).with_head for shape in rules.ladder_shapes()
    )
    assert plan.spec.horizons[0] == MODE_RULES["live"].least
    assert "more than the 3 min asked for" in plan.warnings[0]


def test_a_plan_leaves_memory_to_others() -> None:
    machine = calibration(100_000.0, memory=4e9)
    plan = make_plan(make_spec("full", machine, CorpusSpec()), machine)
    assert plan.memory_bytes <= 2.8e9
    assert sizes(plan)[-1] < sizes(plan_of("full", 100_000.0))[-1]


def test_a_device_that_failed_its_self_test_is_refused() -> None:
    with pytest.raises(DeviceError, match="leaks the future"):
        make_spec("live", calibration(refusal="The device leaks the future."), CorpusSpec())


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"sizes": 2}, "sizes"),
        ({"sizes": 99}, "sizes"),
        ({"minutes": 0.0}, "minutes"),
        ({"minutes": math.nan}, "minutes"),
        ({"minutes": math.inf}, "minutes"),
        ({"minutes": -3.0}, "minutes"),
        ({"held_out": -1}, "held_out"),
        ({"held_out": 4}, "held_out"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_wishes_are_refused_by_name(options: dict[str, float], field: str) -> None:
    with pytest.raises(InputError) as caught:
        plan_of("live", 60.0, **options)
    assert caught.value.field == field


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(InputError, match="smoke, live, quick, standard, full"):
        make_spec("slow", calibration(), CorpusSpec())  # type: ignore[arg-type]  # the bad word is the test


def test_own_minutes_and_sizes_are_kept() -> None:
    plan = plan_of("live", 4000.0, minutes=10, sizes=7, held_out=2)
    assert len(plan.sizes) == 7
    assert plan.spec.held_out == 2
    assert 180 < plan.seconds <= 600
    asked = make_plan(plan.spec, calibration(4000.0), asked_seconds=600.0)
    assert not any("asked for" in warning for warning in asked.warnings)


def test_the_same_wishes_give_the_same_sweep_and_the_seed_is_part_of_it() -> None:
    assert plan_of("live", 60.0).spec == plan_of("live", 60.0).spec
    assert plan_of("live", 60.0, seed=1).spec.id != plan_of("live", 60.0).spec.id


def test_speed_is_what_was_measured_where_it_was_measured() -> None:
    machine = calibration()
    for point in machine.speeds:
        found = speed(point.shape, machine, vocab_size=256, context=128)
        assert found == pytest.approx(point.tokens_per_second, rel=1e-12)


def test_speed_between_lies_between_and_beyond_is_never_better() -> None:
    machine = calibration()
    measured = sorted(point.tokens_per_second for point in machine.speeds)

    def cost(shape: Shape) -> float:
        return flops_per_token(n_layer=shape.n_layer, d_model=shape.d_model, vocab_size=256, context=128)

    between = speed(rules.ladder_shapes()[4], machine, vocab_size=256, context=128)
    assert measured[0] < between < measured[-1]
    small = speed(Shape(n_layer=1, d_model=8, n_head=1), machine, vocab_size=256, context=128)
    assert small == pytest.approx(measured[-1], rel=1e-12)
    largest = machine.speeds[-1]
    large = Shape(n_layer=24, d_model=1024, n_head=16)
    achieved = speed(large, machine, vocab_size=256, context=128) * cost(large)
    assert achieved == pytest.approx(largest.tokens_per_second * cost(largest.shape), rel=1e-9)


def test_memory_counts_what_the_measured_shapes_took_beyond_their_estimate() -> None:
    machine = calibration()
    shape = machine.speeds[0].shape
    estimate = rules.memory_estimate(shape, vocab_size=256, context=128, batch_sequences=32)
    assert memory(shape, estimate, machine, vocab_size=256, context=128) >= machine.speeds[0].memory_bytes
    assert memory(shape, estimate, replace(machine, speeds=()), vocab_size=256, context=128) == estimate


def test_a_calibration_without_speeds_or_of_another_device_is_refused() -> None:
    spec = small_plan().spec
    with pytest.raises(InputError, match="measure"):
        make_plan(spec, replace(calibration(), speeds=()))
    with pytest.raises(InputError, match="measure that device"):
        make_plan(spec, calibration(device="cuda"))


def test_seconds_are_those_of_the_steps_that_are_really_done() -> None:
    plan, machine = small_plan(), calibration()
    total = machine.startup_seconds
    for rung in plan.sizes:
        steps = run_shares(rung)
        trunk = rung.trunk_steps
        branches = sum(run.steps - run.decay_from for run in rung.runs)
        assert sum(steps) == trunk + branches
        rate = speed(rung.shape, machine, vocab_size=256, context=128)
        total += sum(steps) * rung.batch_sequences * 128 / rate
    overhead = plan.seconds - total
    assert 0 < overhead < 12 * 2.0
    assert plan.seconds == pytest.approx(
        machine.startup_seconds + FORETELL_SECONDS + sum(run.seconds for run in plan.runs)
    )


@pytest.mark.parametrize(
    ("shapes", "horizons", "tokens", "word"),
    [
        (rules.ladder_shapes()[:4], (2.0, 4.0, 8.0), 10_000, "reads the text"),
        (rules.ladder_shapes()[:3], (2.0, 4.0), None, "too few"),
        (rules.ladder_shapes()[:3], (2.0, 2.5, 3.0, 3.5), None, "decades"),
    ],
)
def test_warnings_are_honest(
    shapes: Sequence[Shape], horizons: tuple[float, ...], tokens: int | None, word: str
) -> None:
    spec = SweepSpec(mode="smoke", device="cpu", corpus=CorpusSpec(), shapes=tuple(shapes), horizons=horizons)
    said = make_plan(spec, calibration(), unique_tokens=tokens).warnings
    assert any(word in one for one in said)
    silent = make_plan(small_plan().spec, calibration(1e4), unique_tokens=10**9).warnings
    assert not any(word in one for one in silent)
