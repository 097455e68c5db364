"""What makes two trainings the same one: digests over everything that decides a weight. Knows no torch.

A line whose digest is known was trained already, in whichever sweep, and its finished runs need no second training.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from scaling_core.lab import rules
from scaling_core.lab.records import LinePlan, RunPlan
from scaling_core.lab.spec import Shape, SweepSpec


def line_key(spec: SweepSpec, line: LinePlan, corpus_hash: str) -> str:
    """Digest of a trunk: text, model, seed, rate, batch, warm-up, precision, device and the version of the rules.

    How long the trunk becomes is not in it: a longer one begins with the same steps.
    """
    return _digest(
        {
            "rules": spec.rules,
            "device": spec.device,
            "precision": spec.precision,
            "corpus": corpus_hash,
            "vocab_size": spec.vocab_size,
            "context": spec.context,
            "dropout": spec.dropout,
            "shape": [line.shape.n_layer, line.shape.d_model, line.shape.n_head],
            "seed": line.seed,
            "batch_sequences": line.batch_sequences,
            "learning_rate": line.learning_rate,
            "beta2": line.beta2,
            "warmup_steps": line.warmup_steps,
        }
    )


def run_key(spec: SweepSpec, line: LinePlan, run: RunPlan, corpus_hash: str) -> str:
    """Digest of a cooled endpoint: its line, where its branch leaves and ends, and on what it is measured."""
    return _digest(
        {
            "line": line_key(spec, line, corpus_hash),
            "decay_from": run.decay_from,
            "steps": run.steps,
            "windows": rules.validation_windows(spec.mode),
        }
    )


def init_seed(seed: int, shape: Shape) -> int:
    """Seed of the first weights of a line, of its own seed and its shape: sizes do not share their random numbers."""
    text = f"weights:{seed}:{shape.n_layer}:{shape.d_model}:{shape.n_head}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest(), "big")


def _digest(of: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(of, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:24]
