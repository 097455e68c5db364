"""Before you press start: every check in every state it can be in, each with its number."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from scaling_core.catalog import preset, presets
from scaling_core.checks import Check, Status
from scaling_core.curves.score import Foretold, score
from scaling_core.hardware import device, utilisations
from scaling_core.language import LANGUAGES, speaking
from scaling_core.optimum import inference_flops
from scaling_core.planning import Source, TrainingBudget, budgeted, machine
from scaling_core.planning.checklist import Surroundings, checklist, grounds, least_stage, summary
from scaling_core.planning.memory import training_memory
from scaling_core.planning.prepared import Prepared, precision_of, prepared

A100 = device("a100-80gb")
LISTED = date(2026, 9, 20)
BESIROGLU, HOFFMANN = preset("besiroglu2024"), preset("hoffmann2022")
NOW = Surroundings(today=LISTED + timedelta(days=7))


def ready(source: Source = BESIROGLU, *, mfu: float = 0.4, count: int = 1, **budget: float) -> Prepared:
    what = machine(A100, count=count, mfu=mfu)
    return prepared(source, budgeted(source, TrainingBudget(**budget or {"days": 30.0}), what), A100)


def check(id: str, one: Prepared, around: Surroundings = NOW) -> Check:
    return next(check for check in checklist(one, around) if check.id == id)


def foretold(*errors: float) -> Surroundings:
    """A machine whose predictions missed by so much, each promised to within a hundredth."""
    some = [
        Foretold(predicted=3.0 + e, low=2.99 + e, high=3.01 + e, level=0.95, measured=3.0, factor=4.0) for e in errors
    ]
    return replace(NOW, score=score(some))


def without_hardware() -> Prepared:
    return prepared(BESIROGLU, budgeted(BESIROGLU, TrainingBudget(C=1e21)))


def own_price(price: float | None) -> Prepared:
    one = ready()
    assert one.plan.machine is not None
    what = replace(one.plan.machine, price=price, price_date="")
    return prepared(BESIROGLU, budgeted(BESIROGLU, TrainingBudget(days=30.0), what), A100)


STATES: list[tuple[str, Status, Prepared, Surroundings, str]] = [
    ("utilization", "ok", ready(), NOW, "40% lies between 21.3% (GPT-3, 175B) and 71.5% (MaxText 32B), as measured."),
    ("utilization", "warning", ready(mfu=0.1), NOW, "10% is less than the least that was measured, 21.3%"),
    ("utilization", "failed", ready(mfu=0.9), NOW, "90% is more than any training here was measured to reach"),
    ("utilization", "ask", ready(mfu=1.0), NOW, "100%: is 3.12e14 FLOP/s a speed that was measured"),
    ("utilization", "ask", without_hardware(), NOW, "at how many FLOP/s"),
    ("utilization", "ok", replace(ready(mfu=1.0), measured=True), NOW, "measured here: 3.12e14 FLOP/s."),
    ("range", "ok", ready(), NOW, "1.56B parameters on 34.6B tokens lie within"),
    ("range", "warning", ready(N=70e9, D=1.4e12), NOW, "4.32 times above"),
    ("range", "failed", ready(count=10_000), NOW, "times above the runs behind this law"),
    ("range", "ask", ready(BESIROGLU.joint), NOW, "models like one of 1.56B"),
    ("interval", "ok", ready(), NOW, "2.411 to 2.418. The nearest alternative, half the size"),
    ("interval", "warning", ready(C=3.2e20, N=1.558e9 * 2**0.47), NOW, "on the same side in only"),
    ("interval", "ask", ready(HOFFMANN), NOW, "This law has no refits."),
    ("tokens", "ok", ready(), NOW, "34.6B; Llama 3.1 405B was trained on 15.6T. Have you 8.64B of your own"),
    ("tokens", "warning", ready(N=1e9, D=20e12), NOW, "20T are more than the 15.6T"),
    ("tokens", "failed", ready(N=1e9, D=100e12), NOW, "100T: even the 15.6T of Llama 3.1 405B, read 4 times,"),
    ("memory", "ok", ready(), NOW, "of the 80 GB of one device"),
    ("memory", "warning", ready(N=70e9, D=1.4e12, count=64), NOW, "from ZeRO stage 3 on, of 3, over 64 devices."),
    ("memory", "failed", ready(N=70e9, D=1.4e12), NOW, "on each of 1 devices, of 90% of 80 GB"),
    ("memory", "ask", replace(ready(), memory=None), NOW, "for one sequence: has one device that much?"),
    ("batch", "ok", ready(), NOW, "590K tokens a step, 0.19 of the critical 3.16M."),
    ("batch", "warning", ready(C=3e20, count=5_000), NOW, "times the critical"),
    ("batch", "failed", ready(C=3e20, count=20_000), NOW, "times the critical"),
    ("batch", "ask", ready(preset("talk-slides"), N=1e9, D=2e10), NOW, "no critical batch is known"),
    ("steps", "ok", ready(), NOW, "58,599 steps, of them 2,000 of warm-up."),
    ("steps", "warning", ready(N=30e6, D=8e7), NOW, "no more than the 2,000 of warm-up"),
    ("steps", "failed", ready(N=30e6, D=2e6), NOW, "fewer than 500 are in the steep first part"),
    ("disk", "ask", ready(), NOW, "10 checkpoints of 18.4 GB and 69.1 GB of tokens: are 253.1 GB free"),
    ("disk", "ok", ready(), replace(NOW, disk=254e9), "are 253.1 GB of 254 GB free."),
    ("disk", "failed", ready(), replace(NOW, disk=253e9), "are 253.1 GB; 253 GB are free."),
    ("price", "ok", ready(), NOW, "2,009 USD, at 2.79 for each device-hour as listed on 2026-09-20."),
    ("price", "ok", own_price(2.0), NOW, "1,440 USD, at your own 2.00"),
    ("price", "warning", ready(), Surroundings(today=LISTED + timedelta(days=91)), "2026-09-20, 91 days ago"),
    ("price", "ok", ready(), Surroundings(today=LISTED + timedelta(days=90)), "2,009 USD"),
    ("price", "ask", own_price(None), NOW, "what will 720 device-hours cost you?"),
    ("price", "ask", without_hardware(), NOW, "No hardware was given"),
    ("rehearsal", "ask", ready(), NOW, "train a small one first?"),
    ("rehearsal", "ask", ready(), foretold(), "train a small one first?"),
    ("rehearsal", "ok", ready(), foretold(0.001, -0.003, 0.009), "3 of 3 predictions of this machine held their"),
    ("rehearsal", "warning", ready(), foretold(0.02, -0.03, 0.04), "0 of 3 predictions of this machine held, fewer"),
    ("serving", "ask", ready(), NOW, "From 104B on, serving costs more than training; for so many, 922M on 66.1B"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("id", "status", "one", "around", "seen"), STATES, ids=[f"{row[0]}-{row[1]}-{k}" for k, row in enumerate(STATES)]
)
def test_a_check_in_each_of_its_states(id: str, status: Status, one: Prepared, around: Surroundings, seen: str) -> None:
    found = check(id, one, around)
    assert (found.status, seen in found.seen) == (status, True), found.seen


def test_every_check_has_a_case_and_every_status_comes_up() -> None:
    assert {row[0] for row in STATES} == {one.id for one in checklist(ready(), NOW)}
    assert {row[1] for row in STATES} == {"ok", "warning", "failed", "ask"}
    assert len(grounds()) == len(checklist(ready(), NOW))
    assert [what for what, _, _ in grounds()] == [one.what for one in checklist(ready(), NOW)]


def test_the_ends_of_what_was_measured_are_those_of_the_table() -> None:
    seen = [one.mfu for one in utilisations()]
    for mfu, status in (
        (min(seen), "ok"),
        (max(seen), "ok"),
        (min(seen) - 1e-6, "warning"),
        (max(seen) + 1e-6, "failed"),
    ):
        assert check("utilization", ready(mfu=mfu)).status == status


def test_serving_costs_as_much_as_training_at_the_number_that_is_asked() -> None:
    plan = ready().plan
    assert inference_flops(plan.N, 3 * plan.D) == pytest.approx(plan.C)


def test_sharding_is_the_least_that_fits() -> None:
    """ZeRO's own arithmetic: 16 bytes a parameter, of which each stage leaves more to share."""
    one = ready(N=2e9, D=4e10, count=8)
    assert one.model is not None
    N = one.model.count.total
    rest = training_memory(one.model, 1).total - 16 * N
    for stage, each in ((0, 16.0), (1, 4 + 12 / 8), (2, 2 + 14 / 8), (3, 16 / 8)):
        assert least_stage(replace(one, memory=(each * N + rest + 1e6) / 0.9)) == stage
    assert least_stage(replace(one, memory=1e9)) is None
    assert least_stage(replace(one, memory=None)) is None


def test_a_plan_that_is_no_model_fails_where_a_model_is_asked() -> None:
    tiny = ready(N=1000.0, D=1e6)
    assert tiny.model is None
    for id in ("memory", "batch", "steps", "disk"):
        found = check(id, tiny)
        assert found.status == "failed"
        assert found.seen.startswith("The plan cannot be written out as one model. ")


def test_what_cannot_be_reckoned_is_said_and_hides_nothing_else() -> None:
    one = ready(N=1.5, D=1e9)
    found = {row.id: row for row in checklist(one, NOW)}
    assert found["interval"].status == "warning"
    assert found["interval"].seen.startswith("Not known for this plan. ")
    assert found["price"].status == "ok"


def test_the_summary_names_what_is_not_well() -> None:
    said = summary(checklist(ready(count=10_000), NOW))
    assert "Stop at: Range of the law" in said
    assert "Ask yourself: Disk" in said
    well = [Check(id="a", what="A", status="ok", seen="."), Check(id="b", what="B", status="warning", seen=".")]
    assert summary(well) == "1 of 2 checks are well. Look at: B."


@pytest.mark.parametrize("id", [one.id for one in presets("joint")])
def test_every_law_s_checks_are_whole_sentences_in_both_languages(id: str) -> None:
    said = {}
    for language in LANGUAGES:
        with speaking(language):
            said[language] = [str(one.seen) for one in checklist(ready(preset(id), N=1e9, D=2e10), NOW)]
        assert all(text and "{" not in text and "nan" not in text for text in said[language])
    assert all(a != b for a, b in zip(*said.values(), strict=True))


def test_memory_is_counted_as_the_device_trains() -> None:
    assert precision_of(A100) == "mixed"
    assert precision_of(None) == "mixed"
    assert precision_of(A100, measured=True) == "float32"
    assert precision_of(device("macbook-m3-max")) == ("float32" if device("macbook-m3-max").training_precision == "fp32"
                                                      else "mixed")  # fmt: skip
