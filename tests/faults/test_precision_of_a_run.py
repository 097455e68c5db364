"""A ladder in bfloat16 is another experiment than one in float32, and ends near it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaling_core.runs.store import Store
from tests.faults.trainer import Nursery, make_plan

pytestmark = pytest.mark.slow


def test_a_run_in_bfloat16_is_computed_in_it(nursery: Nursery, text: Path, lab_home: Path) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        plan = make_plan(text, horizons=(2.0,), held_out=0, precision=precision)
        code, said = nursery.train(lab_home, plan)
        assert code == 0, said
        with Store.open_reader(lab_home) as store:
            losses[precision] = [run.loss for run in store.runs(plan.spec.id)]
    for plain, half in zip(losses["float32"], losses["bfloat16"], strict=True):
        assert plain is not None
        assert half is not None
        assert plain != half, "it was computed in float32 all the same"
        assert half == pytest.approx(plain, rel=0.03)
