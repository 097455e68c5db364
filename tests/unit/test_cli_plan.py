"""`plan`: what it prints is the planner's, its golden numbers are the talk's, and every bad input is one sentence."""

from __future__ import annotations

import json
import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest

from scaling_core import hardware
from scaling_core.catalog import preset, presets
from scaling_core.cli import build_parser
from scaling_core.planning import Budgeted, TrainingBudget, budgeted, machine
from scaling_core.planning.architecture import architecture_for
from scaling_core.planning.compare import Configuration, compare
from scaling_core.planning.ladder import lab_ladder
from scaling_core.planning.mistakes import mistakes
from scaling_core.planning.prepared import prepared
from scaling_core.planning.recipe import make_recipe
from scaling_core.planning.trust import trust
from scaling_core.runs.calibrations import save_calibration
from scaling_core.units import format_loss
from scaling_core.viz.models import compared
from tests.cli_helpers import Capture, answer, call, refusal
from tests.lab_helpers import calibration

A100 = ("plan", "--device", "a100-80gb")
MONTH = (*A100, "--days", "30")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty lab, on a machine that was not measured."""
    monkeypatch.setenv("SCALING_LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def planned(given: TrainingBudget, law: str = "hoffmann2022", *, mfu: float = 0.4, count: int = 1) -> Budgeted:
    """The planner's own answer on A100s."""
    return budgeted(preset(law), given, machine(hardware.device("a100-80gb"), count=count, mfu=mfu))


def test_one_a100_for_a_month(capsys: Capture) -> None:
    row = answer(capsys, *MONTH, "--mfu", "1", "--ratio", "20")
    assert row["compute"] == pytest.approx(8.087e20, rel=1e-4)
    assert row["params"] == pytest.approx(2.6e9, rel=0.005)
    assert row["tokens"] == pytest.approx(52e9, rel=0.005)
    assert row["tokens_per_param"] == pytest.approx(20.0)
    assert (row["seconds"], row["device_hours"]) == (pytest.approx(30 * 86_400), pytest.approx(720))
    assert row["excess_loss"] > 0
    told = row["hardware"]
    assert (told["peak_flops_per_second"], told["precision"], told["mfu"]) == (312e12, "bf16", 1.0)
    assert told["achieved_flops_per_second"] == 312e12
    assert told["source"] == hardware.device("a100-80gb").source


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (("--days", "30"), TrainingBudget(days=30.0)),
        (("--usd", "10K"), TrainingBudget(usd=1e4)),
        (("--compute", "1e21"), TrainingBudget(C=1e21)),
        (("--loss", "2.4"), TrainingBudget(loss=2.4)),
        (("--params", "7B"), TrainingBudget(N=7e9)),
        (("--tokens", "100B"), TrainingBudget(D=1e11)),
        (("--params", "7B", "--tokens", "2T"), TrainingBudget(N=7e9, D=2e12)),
        (("--days", "30", "--params", "1B"), TrainingBudget(days=30.0, N=1e9)),
    ],
)
def test_every_side_is_the_planner_s(capsys: Capture, words: tuple[str, ...], given: TrainingBudget) -> None:
    row, plan = answer(capsys, *A100, "--count", "8", "--mfu", "55%", *words), planned(given, mfu=0.55, count=8)
    assert (row["params"], row["tokens"], row["compute"], row["loss"]) == (plan.N, plan.D, plan.C, plan.loss)
    assert (row["seconds"], row["device_hours"]) == (plan.seconds, plan.device_hours)
    assert (row["joules"], row["usd"]) == (plan.joules, plan.usd)
    assert row["notes"] == list(plan.extrapolation.sentences)
    assert row["excess_loss"] == (None if plan.verdict is None else plan.verdict.loss_gap)


def test_it_says_what_it_rests_on(capsys: Capture) -> None:
    status, out, err = call(capsys, *MONTH, "--law", "besiroglu2024", "--mfu", "1")
    plan, device = planned(TrainingBudget(days=30.0), "besiroglu2024", mfu=1.0), hardware.device("a100-80gb")
    assert status == 0
    interval = plan.loss_interval
    assert interval is not None
    assert f"95%: {format_loss(interval.low)} to {format_loss(interval.high)}" in out
    for part in ("8.09e20 FLOP", "30 days", "720", "288 kWh", "2,009 USD", "1 x NVIDIA A100 SXM 80 GB",
                 "3.12e14 FLOP/s each in BF16", "100% of it is achieved", device.source, "2.79 USD per device-hour",
                 "listed on 2026-09-20", "400 W", preset("besiroglu2024").source):  # fmt: skip
        assert part in out
    assert all(sentence in err for sentence in plan.extrapolation.sentences)


def test_beyond_the_runs_of_the_law_it_says_so(capsys: Capture) -> None:
    words = ("plan", "--compute", "1e27")
    row = answer(capsys, *words)
    plan = budgeted(preset("hoffmann2022"), TrainingBudget(C=1e27))
    assert row["notes"] == list(plan.extrapolation.sentences) != []
    assert row["extrapolation"] == dict(plan.extrapolation.factors)
    _, out, err = call(capsys, *words)
    assert plan.extrapolation.sentences[0] in err
    assert "No hardware was given" in out


def test_without_hardware_there_is_no_time(capsys: Capture) -> None:
    row = answer(capsys, "plan", "--compute", "1e21")
    assert [row[name] for name in ("seconds", "device_hours", "joules", "usd", "hardware")] == [None] * 5


def test_hardware_of_one_s_own(capsys: Capture) -> None:
    words = ("plan", "--peak", "1e14", "--mfu", "0.5", "--days", "1")
    row = answer(capsys, *words)
    assert row["compute"] == pytest.approx(5e13 * 86_400)
    assert (row["usd"], row["joules"]) == (None, None)
    _, out, _ = call(capsys, *words, "--price", "2")
    assert "48 USD" in out
    assert "Price: your own, 2 USD per device-hour." in out
    assert "not known" in out, "the energy"
    other = answer(capsys, *MONTH, "--precision", "fp32", "--price", "1")
    assert other["hardware"]["peak_flops_per_second"] == 19.5e12
    assert (other["usd"], other["hardware"]["price_source"]) == (pytest.approx(720.0), None)


def test_the_catalogue(capsys: Capture) -> None:
    row = answer(capsys, "plan", "--hardware")
    assert [one["id"] for one in row["devices"]] == [one.id for one in hardware.devices()]
    assert all(one["source"] for one in row["devices"] + row["utilizations"])
    status, out, _ = call(capsys, "plan", "--hardware")
    assert status == 0
    for one in hardware.devices():
        assert next(line for line in out.splitlines() if line.startswith(f"{one.id} ")).count(one.source) == 1
    assert all(one.source in out for one in hardware.utilisations())
    assert "not published" in out


MODELS = "name,N,D\nGopher,280B,300B\nChinchilla,70B,1.4T\nits twin,70.1B,1.4T\n"


def test_models_are_compared(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "models.csv"
    file.write_text(MODELS, encoding="utf-8")
    rows = (("Gopher", 280e9, 3e11), ("Chinchilla", 70e9, 1.4e12), ("its twin", 70.1e9, 1.4e12))
    found = compare(preset("besiroglu2024"), [Configuration(name=name, N=N, D=D) for name, N, D in rows])
    words = ("plan", "--law", "besiroglu2024", "--compare", str(file))
    row = answer(capsys, *words)
    assert [one["name"] for one in row["rows"]] == [one.configuration.name for one in found.ranked()]
    assert [one["loss"] for one in row["rows"]] == [one.loss for one in found.ranked()]
    assert [(pair["share"], pair["clear"]) for pair in row["pairs"]] == [(one.share, one.clear) for one in found.pairs]
    assert row["hardware"] is None
    status, out, err = call(capsys, *words, "--device", "h100-sxm", "--count", "1024")
    assert status == 0
    best, worst = found.ranked()[0].configuration.name, found.ranked()[-1].configuration.name
    assert out.splitlines()[1].startswith(best)
    assert "the law tells them apart" in out
    assert "1,024 x NVIDIA H100 SXM" in out
    assert f"{worst}: " in err, "beyond the runs of the law"
    _, out, _ = call(capsys, "plan", "--law", "hoffmann2022", "--compare", str(file))
    assert "the law has no refits" in out


def test_the_configuration_for_nanogpt(capsys: Capture, tmp_path: Path) -> None:
    words = (*MONTH, "--count", "8", "--config", "nanogpt")
    row, plan = answer(capsys, *words), planned(TrainingBudget(days=30.0), count=8)
    model = architecture_for(plan.N)
    assert row["params"] == model.count.total
    assert row["tokens"] == make_recipe(model, plan.D, devices=8).tokens
    assert row["command"] == "torchrun --standalone --nproc_per_node=8 train.py config/plan.py"
    status, out, err = call(capsys, *words)
    assert (status, out) == (0, row["text"])
    assert row["command"] in err
    file = tmp_path / "plan.py"
    file.write_text(out, encoding="utf-8")
    found = runpy.run_path(str(file))
    assert (found["n_layer"], found["n_embd"], found["device"]) == (model.n_layer, model.d_model, "cuda")


def test_a_small_vocabulary_and_a_mac(capsys: Capture) -> None:
    words = (
        "plan",
        "--device",
        "macbook-m1",
        "--params",
        "1M",
        "--config",
        "nanogpt",
        "--vocab",
        "65",
        "--context",
        "64",
    )
    text = answer(capsys, *words)["text"]
    assert "block_size = 64" in text
    assert "device = 'mps'" in text
    assert "The vocabulary of 65 must stand in" in text


def test_the_command_of_the_lab(capsys: Capture, home: Path) -> None:
    words = ("plan", "--params", "1M", "--tokens", "20M", "--config", "lab")
    row = answer(capsys, *words)
    spoken = shlex.split(row["command"])[3:]
    assert spoken[:2] == ["lab", "start"]
    assert build_parser("lab").parse_args(spoken).sizes == ",".join(spoken[spoken.index("--sizes") + 1].split(","))
    assert row["seconds"] is None
    status, out, err = call(capsys, *words)
    assert (status, out.strip()) == (0, row["command"])
    assert "this machine was not measured yet" in err
    save_calibration(home, "auto", calibration())
    measured = answer(capsys, *words)
    ladder = lab_ladder(1e6, 2e7, calibration=calibration())
    assert ladder.plan is not None
    assert (measured["command"], measured["seconds"]) == (ladder.command, ladder.plan.seconds)
    assert measured["notes"] == list(ladder.notes)


def test_what_cannot_be_configured_says_why(capsys: Capture) -> None:
    for words, said in (
        (("--params", "7B", "--config", "lab"), "The lab trains models of up to 473M parameters; this plan has 7B."),
        (("--params", "7B", "--config", "nanogpt", "--device", "a100-40gb"), "nanoGPT keeps the whole model"),
        (("--params", "1B", "--config", "nanogpt", "--device", "tpu-v4"), "nanoGPT does not train on TPUs."),
    ):
        for form in ((), ("--json",)):
            assert refusal(capsys, "plan", *words, *form).startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "budget: got 'nothing', but give a time"),
        (("--days", "3"), "hardware: got 'nothing', but a time or a sum becomes compute on hardware only"),
        ((*A100[1:], "--days", "3", "--usd", "3"), "budget: got 'days and money', but give one limit"),
        ((*A100[1:], "--days", "-3"), "days: got '-3', but it must be a positive number"),
        ((*A100[1:], "--days", "nan"), "days: got 'nan', but it must be a positive number"),
        (("--loss", "1"), "loss: got 1.0, but that is impossible: under this law"),
        (("--law", "kaplan2020-n", "--compute", "1e21"), "law: got 'kaplan2020-n', but it is a law in N alone"),
        (("--law", "nobody", "--compute", "1e21"), "law: got 'nobody', but"),
        (("--device", "abacus", "--days", "1"), "device: got 'abacus', but it must be one of macbook-m1,"),
        (("--device", "macbook-m5", "--days", "1"), "device: got 'macbook-m5', but its peak is not published"),
        ((*A100[1:], "--precision", "fp8", "--days", "1"), "precision: got 'fp8', but for this device it must be one"),
        (("--peak", "1e12", "--precision", "bf16", "--days", "1"), "precision: got 'bf16', but it belongs to --device"),
        (("--peak", "0", "--days", "1"), "peak: got '0', but it must be a number from 1"),
        (("--device", "rtx5090", "--usd", "100"), "price: got 'nothing', but none is listed for this hardware"),
        ((*A100[1:], "--days", "1", "--mfu", "140%"), "mfu: got '140%', but it must lie above 0"),
        ((*A100[1:], "--days", "1", "--mfu", "0"), "mfu: got '0', but it must lie above 0"),
        ((*A100[1:], "--days", "1", "--mfu", "nan"), "mfu: got 'nan', but it must lie above 0"),
        ((*A100[1:], "--days", "1", "--count", "1.5"), "count: got '1.5', but it must be a whole number from 1"),
        ((*A100[1:], "--days", "1", "--price", "0"), "price: got '0', but it must be a positive number"),
        (("--compute", "1e21", "--count", "3"), "count: got '3', but it needs hardware: give --device or --peak"),
        (("--compute", "1e21", "--config", "gpt"), "config: got 'gpt', but it must be one of nanogpt, lab"),
        (("--compute", "1e21", "--vocab", "65"), "vocab: got '65', but it belongs to --config nanogpt"),
        (("--hardware", "--mfu", "0.5"), "mfu: got '0.5', but it plans a training, and --hardware plans none"),
        (("--hardware", "--days", "1"), "days: got '1', but it plans a training, and --hardware plans none"),
        (("--compare", "x.csv", "--loss", "2"), "loss: got '2', but it plans a training, and --compare plans none"),
        (("--compare", "no such file"), "compare: got 'no such file', but it must be a file that can be read"),
        (("--params", "1K", "--config", "nanogpt"), "params: got 1000.0, but the smallest model here"),
        (("--params", "1M", "--tokens", "10", "--config", "nanogpt", "--vocab", "65"), "tokens: got 10.0, but it must"),
    ],
)
def test_bad_input_is_one_sentence(capsys: Capture, words: tuple[str, ...], said: str) -> None:
    assert refusal(capsys, "plan", *words).startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "configurations: got '0 lines', but there must be 1 to 12 lines"),
        (b"one,70B\n", "line 1: got 'one,70B', but it must have three fields"),
        (b"one,70B,many\n", "line 1, D: got 'many', but it must be a number"),
        (b"\xff\xfe\x00", "compare: got"),
        (b"x" * 300_000, "compare: got"),
    ],
)
def test_a_file_that_holds_no_models_is_one_sentence(
    capsys: Capture, tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "models.csv"
    file.write_bytes(content)
    assert refusal(capsys, "plan", "--compare", str(file)).startswith(said)


@pytest.mark.parametrize(
    "words",
    [
        (*MONTH, "--peak", "1e12"),
        (*MONTH, "--hardware", "--config", "lab"),
        ("plan", "--hardware", "--compare", "x.csv"),
    ],
)
def test_what_excludes_the_other_is_said(capsys: Capture, words: tuple[str, ...]) -> None:
    assert "not allowed with" in refusal(capsys, *words)


def test_every_answer_is_one_object(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "models.tsv"
    file.write_text("a\t1B\t20B\n", encoding="utf-8")
    for words in (MONTH[1:], ("--hardware",), ("--compare", str(file)), ("--params", "1M", "--config", "lab")):
        found: Any = answer(capsys, "plan", *words)
        assert isinstance(found, dict)
        assert json.loads(json.dumps(found)) == found


def test_both_lists_of_checks_are_the_planner_s(capsys: Capture) -> None:
    row = answer(capsys, *MONTH, "--law", "besiroglu2024", "--checks")
    plan = planned(TrainingBudget(days=30.0), "besiroglu2024")
    ready = prepared(preset("besiroglu2024"), plan, hardware.device("a100-80gb"))
    laws = [one for one in compared(presets("joint")) if one.warning is None]
    costs = mistakes(ready, trust(laws, N=plan.N, D=plan.D).answers)
    assert [one["id"] for one in row["mistakes"]] == [one.id for one in costs]
    assert [one["amount"] for one in row["mistakes"]] == [one.amount for one in costs]
    assert row["mistakes"][1]["solidity"] == {"kind": "measured", "factor": 1.0, "quantity": None}
    assert {one["status"] for one in row["checks"]} == {"ok", "ask"}
    assert (row["params"], row["law"]) == (plan.N, "besiroglu2024")
    code, out, err = call(capsys, *MONTH, "--law", "besiroglu2024", "--checks")
    assert (code, err) == (0, "")
    for one in costs:
        assert f"{one.figure}  " in out
        assert f"{one.what}: {one.told}" in out
    for check in row["checks"]:
        assert check["seen"] in out
    assert "Before you press start. 8 of 11 checks are well." in out


def test_checks_without_hardware_and_beyond_every_range_say_so(capsys: Capture) -> None:
    row = answer(capsys, "plan", "--params", "1T", "--tokens", "100T", "--checks", "--vocab", "128000")
    found = {one["id"]: one for one in row["checks"]}
    assert (found["range"]["status"], found["tokens"]["status"]) == ("failed", "failed")
    assert found["utilization"]["status"] == found["price"]["status"] == "ask"
    assert row["mistakes"][0]["amount"] is None
    assert row["notes"]
    assert "not allowed with" in call(capsys, *MONTH, "--checks", "--hardware")[2]
