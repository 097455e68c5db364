"""Training loops in a process of their own: each line of stdin is a task in JSON, each line of stdout what came of it.

    python benchmarks/train_worker.py ours|nanogpt|transformers <tasks

`ours` needs the project's folder on PYTHONPATH, `nanogpt` the checkout's, `transformers` only that package and torch;
so a peer may be installed in another environment. nanoGPT's own loop is not here: its train.py is run as it is.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as in the lab's child; peers run with the defaults of torch
if len(sys.argv) > 1 and sys.argv[1] != "ours":
    os.environ.pop("OMP_WAIT_POLICY")

import numpy as np

Task = dict[str, Any]
CONTEXT, VOCAB = 128, 256
GATHER_TOKENS = 262_144
"""Tokens that the lab gathers at once."""
_kept: dict[str, Any] = {}


def _windows(task: Task) -> Any:
    text = np.fromfile(os.path.join(task["data"], "train.bin"), dtype=np.uint16)
    views = np.lib.stride_tricks.sliding_window_view(text, CONTEXT + 1)
    return views[:: len(views) // task["sequences"]][: task["sequences"]].astype(np.int64)


# Ours


def _stepper(task: Task) -> Any:
    """The stepper of that shape, in training since it was first asked for."""
    key = json.dumps([task["shape"], task["sequences"], task.get("precision")])
    if _kept.get("key") != key:
        if "stepper" in _kept:
            _kept["stepper"].close()
        device = importlib.import_module("scaling_core.lab.device").Device("cpu")
        options = {}
        if task.get("precision") == "bfloat16":
            computed_in = importlib.import_module("scaling_core.lab.precision").computed_in
            options["model_class"] = computed_in(device, "bfloat16")
        layers, width, heads = task["shape"]
        shape = importlib.import_module("scaling_core.lab.spec").Shape(n_layer=layers, d_model=width, n_head=heads)
        _kept["stepper"] = importlib.import_module("scaling_core.lab.stepper").Stepper(
            shape, vocab_size=VOCAB, context=CONTEXT, seed=0, beta2=0.95, batch_sequences=task["sequences"],
            device=device, **options,
        )  # fmt: skip
        _kept["key"] = key
    return _kept["stepper"]


def ours(task: Task) -> Task:
    """One of: seconds of so many steps as the lab takes them; loss and gradient norm; a product of matrices."""
    torch = importlib.import_module("torch")
    if task["do"] == "product":
        return _product(task)
    stepper = _stepper(task)
    if task["do"] == "agree":
        windows = torch.from_numpy(_windows(task))
        targets = windows.shape[0] * CONTEXT
        np.savez(task["weights"], **{name: p.detach().numpy() for name, p in stepper.model.named_parameters()})
        loss, gradients = stepper.gradient(windows)
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g.double()) for g in gradients]))
        return {"loss": float(loss) / targets, "norm": float(norm) / targets}
    if "order" not in _kept or _kept["order"].batch_sequences != task["sequences"]:
        text = np.fromfile(os.path.join(task["data"], "train.bin"), dtype=np.uint16).astype(np.uint8)
        _kept["order"] = importlib.import_module("scaling_core.lab.batches").BatchOrder(
            text, context=CONTEXT, batch_sequences=task["sequences"], seed=0
        )
    size = max(1, GATHER_TOKENS // (task["sequences"] * CONTEXT))
    began = time.perf_counter()
    block = stepper.to_device(_kept["order"].tokens(0, size))
    gathered = (time.perf_counter() - began) / size  # what gathering takes is shared out over its steps
    seconds, losses = [], []
    for step in range(task["steps"]):
        began = time.perf_counter()
        losses.append(stepper.step(block[step % size], 1e-3))
        seconds.append(time.perf_counter() - began + gathered)
    return {"seconds": seconds, "loss": float(torch.stack(losses[-3:]).mean())}


def _product(task: Task) -> Task:
    """Largest GFLOP/s of a product of square matrices on all cores, in one precision."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(task["cores"])
    n = task["size"]
    seconds: list[float] = []
    a, b = (torch.full((n, n), 1e-3, dtype=getattr(torch, task["precision"])) for _ in range(2))
    while len(seconds) < 3 or sum(seconds) < task["budget"]:
        began = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - began)
    return {"gflops": 2e-9 * n**3 / min(seconds)}


# The peers

NANOGPT_NAMES = (
    ("tokens.weight", "transformer.wte.weight"), ("positions", "transformer.wpe.weight"),
    ("norm.", "transformer.ln_f."), ("blocks.", "transformer.h."), ("norm_attention", "ln_1"), ("qkv", "attn.c_attn"),
    ("out.", "attn.c_proj."), ("norm_mlp", "ln_2"), ("up.", "mlp.c_fc."), ("down.", "mlp.c_proj."),
)  # fmt: skip
"""Parts of our names, and what GPT-2's first release called them, as both peers still do."""


def _load(model: Any, path: str, *, transposed: bool) -> None:
    """Put our weights into a peer's model. transposed: it keeps the matrices of linear layers the other way round."""
    torch = importlib.import_module("torch")
    parameters = dict(model.named_parameters())
    with np.load(path) as weights, torch.no_grad():
        for name, array in weights.items():
            for ours_part, theirs in NANOGPT_NAMES:
                name = name.replace(ours_part, theirs)
            linear = transposed and array.ndim == 2 and ".h." in name
            parameters.pop(name).copy_(torch.from_numpy(array.T.copy() if linear else array))
    if parameters:
        raise SystemExit(f"the peer has weights that ours has not: {sorted(parameters)}")


def _loss_and_norm(model: Any, task: Task, logits: Callable[[Any, Any], Any]) -> Task:
    torch = importlib.import_module("torch")
    windows = torch.from_numpy(_windows(task))
    found = logits(windows[:, :-1].contiguous(), windows[:, 1:].contiguous())
    loss = torch.nn.functional.cross_entropy(found.flatten(0, 1), windows[:, 1:].flatten())
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9)
    return {"loss": float(loss), "norm": float(norm)}


def nanogpt(task: Task) -> Task:
    """Loss and gradient norm of the checkout's model from our weights."""
    module = importlib.import_module("model")
    layers, width, heads = task["shape"]
    model = module.GPT(
        module.GPTConfig(
            block_size=CONTEXT, vocab_size=VOCAB, n_layer=layers, n_head=heads, n_embd=width, dropout=0.0, bias=True
        )
    )
    _load(model, task["weights"], transposed=False)
    return _loss_and_norm(model, task, lambda tokens, targets: model(tokens, targets)[0])


def transformers(task: Task) -> Task:
    """GPT-2 of the package: loss and gradient norm from our weights, or seconds between steps of its Trainer."""
    package = importlib.import_module("transformers")
    package.logging.set_verbosity_error()
    torch = importlib.import_module("torch")
    layers, width, heads = task["shape"]
    key = json.dumps(task["shape"])
    if task["do"] == "agree" or _kept.get("key") != key:
        _kept["key"] = key
        _kept["model"] = package.GPT2LMHeadModel(
            package.GPT2Config(
                vocab_size=VOCAB, n_positions=CONTEXT, n_embd=width, n_layer=layers, n_head=heads,
                activation_function="gelu", resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False,
                bos_token_id=0, eos_token_id=0,
            )
        )  # fmt: skip
    model = _kept["model"]
    if task["do"] == "agree":
        _load(model, task["weights"], transposed=True)
        return _loss_and_norm(model, task, lambda tokens, targets: model(input_ids=tokens).logits)
    times: list[float] = []

    class Clock(package.TrainerCallback):  # type: ignore[name-defined, misc]  # the package is only known as it runs
        def on_step_end(self, *words: Any, **options: Any) -> None:
            times.append(time.perf_counter())

    text = np.fromfile(os.path.join(task["data"], "train.bin"), dtype=np.uint16)
    rows = torch.from_numpy(text[: len(text) // CONTEXT * CONTEXT].astype(np.int64)).view(-1, CONTEXT)
    arguments = package.TrainingArguments(
        output_dir=task["folder"], per_device_train_batch_size=task["sequences"], max_steps=task["steps"],
        learning_rate=1e-3, weight_decay=0.1, adam_beta2=0.95, max_grad_norm=1.0, lr_scheduler_type="cosine",
        use_cpu=True, bf16=task.get("precision") == "bfloat16", save_strategy="no", report_to=[], disable_tqdm=True,
        logging_strategy="no",
    )  # fmt: skip
    trainer = package.Trainer(
        model=model, args=arguments, train_dataset=[{"input_ids": row, "labels": row} for row in rows],
        callbacks=[Clock()],
    )  # fmt: skip
    trainer.train()
    return {"seconds": np.diff(times).tolist()}


def main() -> int:
    """Answer tasks until there are no more; 3 where the peer is not installed."""
    kind = sys.argv[1]
    answer = {"ours": ours, "nanogpt": nanogpt, "transformers": transformers}[kind]
    needed = {"ours": ("torch",), "nanogpt": ("torch",), "transformers": ("torch", "transformers", "accelerate")}[kind]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            versions = {name: str(importlib.import_module(name).__version__) for name in needed}
            if kind == "nanogpt":
                importlib.import_module("model")
    except ImportError as error:
        print(error, file=sys.stderr)
        return 3
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):  # nothing that a library prints reaches the answer
            found = answer(json.loads(line))
        print(json.dumps({**found, "versions": versions}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
