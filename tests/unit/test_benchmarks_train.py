"""The benchmark of training runs from one command at its smallest, refuses a peer that computes something else, and
its own arithmetic is right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import train
from benchmarks.train_ladder import HORIZONS, ladder_plan, line_steps
from benchmarks.train_measure import interval, params
from scaling_core.lab.rules import heads_for
from scaling_core.lab.spec import Shape

MODEL = '''
import math
from dataclasses import dataclass
from types import SimpleNamespace
import torch
from torch import nn
@dataclass
class GPTConfig:
    block_size: int; vocab_size: int; n_layer: int; n_head: int; n_embd: int; dropout: float; bias: bool
class GPT(nn.Module):
    """Written down plainly: explicit attention, the head tied to the embedding."""
    def __init__(self, config):
        super().__init__()
        d, self.heads = config.n_embd, config.n_head
        self.transformer = nn.ModuleDict(dict(
            wte=nn.Embedding(config.vocab_size, d), wpe=nn.Embedding(config.block_size, d), ln_f=nn.LayerNorm(d),
            h=nn.ModuleList(nn.ModuleDict(dict(
                ln_1=nn.LayerNorm(d), ln_2=nn.LayerNorm(d),
                attn=nn.ModuleDict(dict(c_attn=nn.Linear(d, 3 * d), c_proj=nn.Linear(d, d))),
                mlp=nn.ModuleDict(dict(c_fc=nn.Linear(d, 4 * d), c_proj=nn.Linear(4 * d, d))),
            )) for _ in range(config.n_layer)),
        ))
    def forward(self, tokens, targets):
        part, (n, t) = self.transformer, tokens.shape
        x = part.wte(tokens) + part.wpe.weight[:t]
        for block in part.h:
            q, k, v = (
                y.view(n, t, self.heads, -1).transpose(1, 2) for y in block.attn.c_attn(block.ln_1(x)).chunk(3, -1)
            )
            scores = (q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])).masked_fill(~MASK[:t, :t], -math.inf)
            x = x + block.attn.c_proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, -1))
            x = x + block.mlp.c_proj(nn.functional.gelu(block.mlp.c_fc(block.ln_2(x))))
        return part.ln_f(x) @ part.wte.weight.t(), None
MASK = torch.ones(512, 512, dtype=torch.bool).tril(DIAGONAL)
'''
LOOP = """
import sys
given = dict(word[2:].split("=") for word in sys.argv[1:])
assert (given["device"], given["dtype"], given["bias"], given["batch_size"]) == ("cpu", "float32", "True", "32")
open(given["dataset"] + "/train.bin").close()
for step in range(int(given["max_iters"]) + 1):
    print(f"iter {step}: loss 2.5000, time {9000.0 if step < 5 else 100.0 + step % 2:.2f}ms, mfu -100.00%")
"""


def checkout(folder: Path, diagonal: int = 0) -> Path:
    """A stand-in for nanoGPT. diagonal: how many tokens of the future its attention sees."""
    folder.mkdir()
    (folder / "model.py").write_text(MODEL.replace("DIAGONAL", str(diagonal)))
    (folder / "train.py").write_text(LOOP)
    return folder


LEAST = ("--shapes", "1x16", "--rounds", "2", "--seconds", "0.02", "--json")


@pytest.mark.slow
def test_it_gives_a_ratio_once_both_compute_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = checkout(tmp_path / "a checkout")
    assert train.main([*LEAST, "--nanogpt", str(folder), "--peers", "nanogpt,transformers"]) == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = [row for row in found["peers"] if row["peer"] == "nanogpt"]
    assert row["loss"] == pytest.approx(row["peer_loss"], rel=1e-4)
    assert row["norm"] == pytest.approx(row["peer_norm"], rel=1e-4)
    assert row["seconds"] == pytest.approx(0.1005, abs=6e-4)  # the slow first steps do not count
    assert row["interval"][0] <= row["ratio"] <= row["interval"][1]
    assert row["ratio"] == pytest.approx(np.median(row["ratios"]))
    assert row["ratio"] > 0
    assert found["product_gflops"]["float32"] > 1.0
    assert {path.name for path in folder.iterdir()} == {"model.py", "train.py"}
    assert "transformers" in found["missing"] or any(row["peer"] == "transformers" for row in found["peers"])


@pytest.mark.slow
def test_a_peer_that_computes_something_else_gets_no_ratio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*LEAST, "--nanogpt", str(checkout(tmp_path / "leaking", 1)), "--peers", "nanogpt"]
    assert train.main([word for word in words if word != "--json"]) == 1
    said = capsys.readouterr().out
    assert "DISAGREES: nanogpt at 1x16: loss " in said
    assert "ratio" not in said


@pytest.mark.slow
def test_lines_and_a_ladder_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--peers", "none", "--lines", "--ladder", "--ladder-shapes", "1x16", "--run-below", "0")
    assert train.main([*LEAST, *words]) == 0
    found = json.loads(capsys.readouterr().out)
    (lines,), (row,) = found["lines"], found["ladder"]
    assert lines["ratio"] > 0.1
    assert row["measured"] is False
    assert row["shared_seconds"] == pytest.approx(row["steps_shared"] * row["step_seconds"])
    assert row["apart_seconds"] == pytest.approx(row["steps_apart"] * row["step_seconds"])


@pytest.mark.slow
def test_a_missing_checkout_and_a_wrong_word_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word for word in LEAST if word != "--json"]
    assert train.main([*words, "--nanogpt", str(tmp_path), "--peers", "nanogpt"]) == 0
    assert "nanoGPT, its train.py as it is: not measured (" in capsys.readouterr().out
    for wrong in (["--shapes", "4by128"], ["--peers", "keras"], ["--rounds", "0"]):
        with pytest.raises(SystemExit) as caught:
            train.main(wrong)
        assert caught.value.code == 2


def test_five_doubling_horizons_share_what_they_should() -> None:
    """A trunk to 0.8 of the longest, and a fifth of each: (0.8 * 16 + 0.2 * 31) / 31 = 0.61 of the steps."""
    (line,) = ladder_plan((Shape(n_layer=4, d_model=80, n_head=heads_for(80)),), HORIZONS)
    steps = line_steps(line)
    assert steps.apart == sum(run.steps for run in line.runs)
    assert steps.shared / steps.apart == pytest.approx((0.8 * 16 + 0.2 * 31) / 31, abs=2e-3)


def test_rates_are_six_n_d_over_time() -> None:
    shape = Shape(n_layer=4, d_model=128, n_head=4)
    assert params(shape) == 4 * (12 * 128**2 + 13 * 128) + 2 * 128 + 256 * 128
    assert train.gflops(shape, 0.2) == pytest.approx(6 * params(shape) * 32 * 128 / 0.2 / 1e9)
    assert train.shape_of("4x128") == shape


def test_the_interval_is_of_the_median_of_rounds() -> None:
    assert interval([1.5] * 4) == [1.5, 1.5]
    low, high = interval([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 9.0])
    assert 1.0 <= low < 1.3 < high <= 9.0
