"""The commands about laws beyond the published ones: saved laws, repeated data, published allocations."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaling_core.allocations import allocations
from scaling_core.catalog import presets
from scaling_core.laws import GadreLaw, PowerLaw
from scaling_core.library import save_law
from scaling_core.optimum import optimal_for_compute
from tests.cli_helpers import Capture, answer, call, refusal

LAW = GadreLaw(E=1.6, a=120.0, b=300.0, eta=0.25)


def test_a_saved_law_is_used_by_its_id(capsys: Capture, lab_home: Path) -> None:
    id = save_law(
        "我的阶梯", LAW, source="40 runs", valid_N=(1e6, 1e8), warning="Losses are per byte.", home=lab_home
    ).id
    row = next(row for row in answer(capsys, "laws") if row["id"] == id)
    assert (row["form"], row["constants"], row["saved"]) == ("gadre", LAW.constants, True)
    assert row["valid_range"] == {"N": [1e6, 1e8]}
    predicted = answer(capsys, "predict", "--law", id, "--params", "1B", "--tokens", "20B")
    assert predicted["loss"] == LAW.loss(1e9, 2e10)
    assert predicted["notes"][0] == "Losses are per byte."
    assert "10 times above" in predicted["notes"][1]
    best = answer(capsys, "optimal", "--law", id, "--compute", "1e20")
    assert best["params"] == optimal_for_compute(LAW, 1e20).N
    assert f"it must be one of {', '.join(p.id for p in presets('all'))}, {id}." in refusal(
        capsys, "optimal", "--law", "my-other", "--compute", "1e20"
    )


def test_kinds_hold_for_saved_laws_and_problems_are_said(capsys: Capture, lab_home: Path) -> None:
    save_law("line", PowerLaw(variable="N", scale=1e13, exponent=0.1), source="mine", home=lab_home)
    (lab_home / "laws" / "my-torn.json").write_text("{")
    assert "my-line" not in [row["id"] for row in answer(capsys, "laws", "--kind", "joint")]
    assert answer(capsys, "laws", "--kind", "univariate")[-1]["id"] == "my-line"
    status, out, err = call(capsys, "laws")
    assert status == 0
    assert "my-line" in out
    assert "my-torn.json among the saved laws cannot be read" in err
    assert answer(capsys, "predict", "--law", "my-line", "--params", "1e9")["loss"] == pytest.approx(1e4**0.1)


@pytest.mark.usefixtures("lab_home")
def test_repeated_tokens(capsys: Capture) -> None:
    words = ("predict", "--law", "muennighoff2023", "--params", "6.34B", "--tokens", "242B")
    row = answer(capsys, *words, "--unique", "25B")
    assert row["loss"] == pytest.approx(2.2256440889984477, abs=1e-9)
    assert sum(row["terms"].values()) == pytest.approx(row["loss"], rel=1e-14)
    assert row["unique"] == 25e9
    fresh = answer(capsys, *words)
    assert fresh["loss"] < row["loss"]
    assert fresh["unique"] is None
    assert "unique: got '0'" in refusal(capsys, *words, "--unique", "0")
    assert "does not tell repeated tokens from new ones" in refusal(
        capsys, "predict", "--law", "hoffmann2022", "--params", "1B", "--tokens", "1B", "--unique", "1M"
    )


def test_published_allocations(capsys: Capture) -> None:
    rows = answer(capsys, "laws", "--kind", "allocation")
    assert [row["id"] for row in rows] == [row.id for row in allocations()]
    llama = next(row for row in rows if row["id"] == "llama3-2024-d")
    assert (llama["quantity"], llama["coefficient"], llama["exponent"], llama["secondary"]) == ("D", 0.29, 0.53, True)
    status, out, _ = call(capsys, "laws", "--kind", "allocation")
    assert status == 0
    assert "0.488 to 0.502 (10th to 90th percentile)" in out
    assert "5.8316" in out
    assert "[secondary source]" in out
