"""What is copied can be run: the file is made of nanoGPT's options and the planned tokens, the command is the sweep."""

from __future__ import annotations

import math
import runpy
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_core import cli
from scaling_core.errors import InputError
from scaling_core.lab import options
from scaling_core.lab.corpus_spec import CorpusSpec
from scaling_core.lab.oracle import OracleSpec
from scaling_core.lab.plan import make_plan
from scaling_core.lab.spec import SweepSpec
from scaling_core.planning.architecture import architecture_for, of_shape
from scaling_core.planning.configuration import Copied, intervals, nanogpt
from scaling_core.planning.ladder import lab_ladder, shape_near
from scaling_core.planning.recipe import make_recipe
from tests.lab_helpers import calibration

OPTIONS: dict[str, type] = {
    "out_dir": str, "eval_interval": int, "log_interval": int, "eval_iters": int, "eval_only": bool,
    "always_save_checkpoint": bool, "init_from": str, "wandb_log": bool, "wandb_project": str, "wandb_run_name": str,
    "dataset": str, "gradient_accumulation_steps": int, "batch_size": int, "block_size": int, "n_layer": int,
    "n_head": int, "n_embd": int, "dropout": float, "bias": bool, "learning_rate": float, "max_iters": int,
    "weight_decay": float, "beta1": float, "beta2": float, "grad_clip": float, "decay_lr": bool, "warmup_iters": int,
    "lr_decay_iters": int, "min_lr": float, "backend": str, "device": str, "dtype": str, "compile": bool,
}  # fmt: skip
"""Names and types of what train.py of github.com/karpathy/nanoGPT lets a configuration set."""


def run(copied: Copied, folder: Path) -> dict[str, Any]:
    """What the file sets when it is executed."""
    path = folder / "plan.py"
    path.write_text(copied.text, encoding="utf-8")
    return {name: value for name, value in runpy.run_path(str(path)).items() if not name.startswith("__")}


@pytest.mark.parametrize(("params", "ratio", "devices"), [(7.4e6, 20, 1), (124_439_808, 20, 8), (1.5e9, 100, 16)])
def test_the_file_of_nanogpt_is_the_plan(params: float, ratio: float, devices: int, tmp_path: Path) -> None:
    architecture = architecture_for(params)
    recipe = make_recipe(architecture, ratio * params, devices=devices)
    copied = nanogpt(architecture, recipe, memory_bytes=80e9)
    assert copied.reason == ""
    found = run(copied, tmp_path)
    for name, value in found.items():
        assert type(value) is OPTIONS[name], f"{name} = {value!r}"
    per_step = found["batch_size"] * found["block_size"] * found["gradient_accumulation_steps"]
    assert per_step == recipe.tokens_per_step
    assert abs(per_step * found["max_iters"] - recipe.tokens) <= per_step
    assert abs(per_step * found["max_iters"] - ratio * params) <= 1.5 * per_step
    assert found["gradient_accumulation_steps"] % devices == 0
    assert found["max_iters"] % found["eval_interval"] == 0, "the last checkpoint is that of the last step"
    assert found["lr_decay_iters"] == found["max_iters"] > found["warmup_iters"]
    assert found["min_lr"] == pytest.approx(found["learning_rate"] / 10, rel=0.01)
    assert found["learning_rate"] == pytest.approx(recipe.rate, rel=0.005)
    built = of_shape("gpt2", found["n_layer"], found["n_embd"], vocab_size=50257, context=found["block_size"])
    assert built.count == architecture.count
    assert found["n_embd"] == found["n_head"] * architecture.head_width
    assert found["bias"] is True


@given(steps=st.integers(1, 10**6), wanted=st.integers(1, 50))
def test_steps_are_cut_into_equal_parts(steps: int, wanted: int) -> None:
    total, parts = intervals(steps, wanted)
    assert abs(total - steps) <= 1
    assert total % parts == 0
    assert total >= 1
    assert 1 <= parts <= 4 * wanted


def test_even_a_single_step_has_a_schedule(tmp_path: Path) -> None:
    architecture = architecture_for(7.4e6)
    found = run(nanogpt(architecture, make_recipe(architecture, 2000), device="cpu"), tmp_path)
    assert found["max_iters"] <= 2
    assert 0 <= found["warmup_iters"] < found["max_iters"]
    assert (found["device"], found["dtype"], found["compile"]) == ("cpu", "float32", False)


def test_the_vocabulary_is_spoken_of(tmp_path: Path) -> None:
    architecture = architecture_for(1.3e8)
    recipe = make_recipe(architecture, 2.6e9)
    more = 47 * architecture.d_model
    assert f"50,304: its model has {more:,} parameters more" in nanogpt(architecture, recipe).text
    letters = of_shape("gpt2", 6, 384, vocab_size=65, context=256)
    text = nanogpt(letters, make_recipe(letters, 2e8), dataset="shakespeare_char").text
    assert "data/shakespeare_char/meta.pkl" in text


@pytest.mark.parametrize(
    ("devices", "command"),
    [
        (1, "python train.py config/mine.py"),
        (4, "torchrun --standalone --nproc_per_node=4 train.py config/mine.py"),
        (16, "--nnodes=2"),
    ],
)
def test_the_command_starts_every_device(devices: int, command: str) -> None:
    architecture = architecture_for(1e9)
    copied = nanogpt(architecture, make_recipe(architecture, 2e10, devices=devices), name="mine")
    assert command in copied.command


def test_a_sentence_says_why_nanogpt_cannot() -> None:
    def reason(architecture: Any, devices: int = 1, **given: Any) -> str:
        copied = nanogpt(architecture, make_recipe(architecture, 2e9, devices=devices), **given)
        assert copied.text == copied.command == ""
        return copied.reason

    assert "Llama" in reason(architecture_for(1e9, style="llama"))
    assert "16-bit" in reason(architecture_for(1e9, vocab_size=128_256))
    assert "118 GB of the 80 GB" in reason(architecture_for(7e9), memory_bytes=80e9)
    assert "CUDA" in reason(architecture_for(1e9), devices=2, device="mps")
    assert "do not fill machines of 8" in reason(architecture_for(1e9), devices=12)


@pytest.mark.parametrize("changes", [{"dataset": "../../etc"}, {"name": "a\nimport os"}, {"dataset": ""}])
def test_nothing_but_a_plain_name_gets_into_the_file(changes: dict[str, str]) -> None:
    architecture = architecture_for(1e8)
    with pytest.raises(InputError):
        nanogpt(architecture, make_recipe(architecture, 2e9), **changes)  # type: ignore[arg-type]  # two text fields


def as_parsed(command: str, home: Path) -> SweepSpec:
    """The sweep that the lab's own command line makes of a command, on a measured machine."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "scaling_core"]
    args = cli.build_parser("lab").parse_args(words[3:])
    assert args.lab_command == "start"
    corpus = options.parse_corpus(args.corpus, args.tokens)
    measured = calibration(device=args.device)
    return options.plan_of(options.Wish.of(args), measured, corpus, home=home, unique_tokens=None).spec


BPE = CorpusSpec(tokens="bpe", vocab_size=1024)


@pytest.mark.parametrize("corpus", [CorpusSpec(), BPE, CorpusSpec.from_words("openwebtext"), CorpusSpec(kind="oracle")])
@pytest.mark.parametrize(("params", "ratio"), [(1.5e5, 10.0), (1e6, 20.0), (1.3e7, 7.77), (1.24e8, 20.1), (4.7e8, 5.0)])
def test_the_command_is_the_planned_sweep(params: float, ratio: float, corpus: CorpusSpec, tmp_path: Path) -> None:
    ladder = lab_ladder(params, params * ratio, corpus=corpus, device="mps", context=256)
    assert ladder.reason == ""
    spec = as_parsed(ladder.command, tmp_path)
    assert spec == ladder.spec
    assert spec.held_out == 1
    sizes = [spec.parameters(shape).with_head for shape in spec.shapes]
    assert sizes[-1] == ladder.params == pytest.approx(params, rel=0.15)
    assert len(sizes) >= 3
    assert all(1.6 < above / below < 2.4 for below, above in pairwise(sizes))
    assert spec.horizons == pytest.approx((ratio / 4, ratio / 2, ratio), rel=1e-3)
    held_out = [run for run in make_plan(spec, calibration(device="mps")).runs if run.held_out]
    assert {run.shape for run in held_out} == {spec.shapes[-1]}
    assert held_out[-1].tokens == pytest.approx(ratio * ladder.params, rel=0.01)


def test_a_measured_machine_decides_mode_and_device(tmp_path: Path) -> None:
    slow, fast = calibration(), calibration(60_000.0, device="cuda", memory=80e9)
    here, there = (lab_ladder(1e7, 2e8, calibration=one) for one in (slow, fast))
    assert here.spec is not None
    assert there.spec is not None
    assert (here.spec.device, here.spec.mode) == ("cpu", "full")
    assert (there.spec.device, there.spec.mode) == ("cuda", "quick")
    assert here.plan is not None
    assert any("more than the 3 days asked for" in note for note in here.notes)
    assert as_parsed(there.command, tmp_path) == there.spec
    repeats = lab_ladder(1e7, 2e8, calibration=fast, unique_tokens=10_000_000)
    assert any("reads the text" in note for note in repeats.notes)


def test_runs_too_short_for_a_law_are_spoken_of() -> None:
    short = lab_ladder(6e4, 6e5)
    assert short.spec is not None
    fitted = [run for run in make_plan(short.spec, calibration()).runs if not run.held_out]
    few = sum(run.steps < 500 for run in fitted)
    assert [note for note in short.notes if f"{few} of the {len(fitted)} runs to fit" in note]
    assert lab_ladder(1.24e8, 1.24e10).notes == ()


def test_a_sentence_says_why_the_lab_cannot() -> None:
    def reason(params: float, tokens: float, **given: Any) -> str:
        ladder = lab_ladder(params, tokens, **given)
        assert ladder.spec is None
        assert ladder.command == ""
        return ladder.reason

    assert "up to 473M parameters" in reason(7e9, 1.4e11)
    assert "too small" in reason(2e4, 4e5)
    assert "for each parameter" in reason(1e6, 1e4)
    assert "567 days" in reason(1.24e8, 2.5e9, calibration=calibration())
    assert "needs about" in reason(1e8, 2e8, calibration=calibration(60_000.0, memory=1e9))
    assert reason(1e7, 2e8, calibration=calibration(refusal="It computes wrong.")) == "It computes wrong."
    other = CorpusSpec(kind="oracle", oracle=OracleSpec(seed=7))
    assert "no words" in reason(1e7, 2e8, corpus=other)
    for params, tokens in ((math.nan, 1e8), (1e7, 0.0), (-1.0, 1e8)):
        with pytest.raises(InputError):
            lab_ladder(params, tokens)


@given(exponent=st.floats(4.6, 8.6))
def test_a_shape_is_near_what_is_wanted(exponent: float) -> None:
    shape = shape_near(10**exponent, vocab_size=256, context=128)
    assert shape.parameters(vocab_size=256, context=128).with_head == pytest.approx(10**exponent, rel=0.1)
