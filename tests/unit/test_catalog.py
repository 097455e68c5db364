"""Presets and known models: every row has its source, and what is asked for in vain is refused with the list."""

from __future__ import annotations

import csv
import json
import math

import pytest

from scaling_core import catalog
from scaling_core.errors import InputError
from scaling_core.laws import ChinchillaLaw, PowerLaw

JOINT = [
    "hoffmann2022",
    "hoffmann2022-printed",
    "besiroglu2024",
    "besiroglu2024-exact",
    "kaplan2020-joint",
    "muennighoff2023",
    "gadre2024-c4",
    "gadre2024-redpajama",
    "gadre2024-refinedweb",
    "talk-slides",
    "study-notes",
]
UNIVARIATE = ["kaplan2020-n", "kaplan2020-d", "kaplan2020-c"]


def test_the_presets_there_are() -> None:
    assert [p.id for p in catalog.presets()] == JOINT
    assert [p.id for p in catalog.presets("univariate")] == UNIVARIATE
    assert [p.id for p in catalog.presets("all")] == JOINT + UNIVARIATE
    assert not any(isinstance(p.law, PowerLaw) for p in catalog.presets())
    assert all(isinstance(p.law, PowerLaw) for p in catalog.presets("univariate"))
    assert catalog.presets() is catalog.presets()


def test_every_preset_says_where_it_is_from() -> None:
    for preset in catalog.presets("all"):
        assert preset.source
        assert preset.precision
        assert preset.note.endswith(".")
        unpublished = preset.id in ("talk-slides", "study-notes")
        assert (preset.url is None) == unpublished
        assert (preset.warning is not None) == unpublished
        assert preset.secondary == preset.id.startswith("kaplan2020")
        assert preset.convention == ("non-embedding" if preset.id.startswith("kaplan2020") else "total")
        assert not preset.saved
        assert (preset.replicates is not None) == preset.id.startswith("besiroglu2024")


def test_every_preset_has_a_range_or_says_why_not() -> None:
    without = [p.id for p in catalog.presets("all") if not (p.valid_N or p.valid_D or p.valid_C)]
    assert without == ["talk-slides", "study-notes", "kaplan2020-c"]
    for preset in catalog.presets("all"):
        assert preset.range_note.startswith("No range: " if preset.id in without else "That of ")
        assert preset.range_note.endswith(".")
        for span in (preset.valid_N, preset.valid_D, preset.valid_C):
            assert span is None or 0 < span[0] < span[1]


def test_laws_that_disagree_point_at_each_other() -> None:
    assert "hoffmann2022-printed" in catalog.preset("hoffmann2022").note
    assert "besiroglu2024-exact" in catalog.preset("besiroglu2024").note
    assert "0.00101827402" in catalog.preset("besiroglu2024-exact").note
    assert "Not to be mixed" in catalog.preset("kaplan2020-n").note


def test_a_preset_knows_its_kind() -> None:
    joint, alone = catalog.preset("gadre2024-c4"), catalog.preset("kaplan2020-d")
    assert [joint.is_of("joint"), joint.is_of("univariate"), joint.is_of("all")] == [True, False, True]
    assert [alone.is_of("joint"), alone.is_of("univariate"), alone.is_of("all")] == [False, True, True]
    assert isinstance(catalog.preset("hoffmann2022").joint, ChinchillaLaw)


def test_json_rows_are_plain_and_complete() -> None:
    rows = json.loads(json.dumps([p.to_dict() for p in catalog.presets("all")], allow_nan=False))
    for row in rows:
        assert {"id", "form", "constants", "source", "valid_range", "note", "warning", "secondary"} <= set(row)
    kaplan = next(row for row in rows if row["id"] == "kaplan2020-joint")
    assert kaplan["published_allocation"]["N_exponent"] == 0.73
    assert kaplan["valid_range"]["N"] == [768, 1.5e9]
    assert {row["form"] for row in rows} == {
        "chinchilla",
        "kaplan",
        "gadre",
        "muennighoff",
        *(f"power-{x}" for x in "NDC"),
    }
    assert not any(row["saved"] for row in rows)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"law: got 'chinchila'.*hoffmann2022.*kaplan2020-c"):
        catalog.preset("chinchila")
    with pytest.raises(InputError, match=r"model: got 'gpt5'.*chinchilla"):
        catalog.model("gpt5")
    with pytest.raises(InputError, match="hestness2018-word-lm"):
        catalog.reference_exponent("hestness")
    with pytest.raises(InputError, match="it is a law in N alone"):
        _ = catalog.preset("kaplan2020-n").joint


def test_outside_the_range_says_by_what_factor() -> None:
    preset = catalog.preset("hoffmann2022")
    assert preset.range_notes(N=1e9, D=2e10) == ()
    above, below = preset.range_notes(N=175e9, D=1e9)
    assert above == "175B parameters lie 10.9 times above the runs behind this law (70M to 16B)."
    assert below == "1B tokens lie 5 times below the runs behind this law (5B to 500B)."
    assert catalog.preset("talk-slides").range_notes(N=1.0, D=1e30) == ()


def test_known_models() -> None:
    known = {m.id: m for m in catalog.models()}
    assert (known["gpt3"].N, known["gpt3"].D, known["gpt3"].year) == (175e9, 300e9, 2020)
    assert (known["mt-nlg"].N, known["mt-nlg"].D) == (530e9, 270e9)
    assert (known["llama-65b"].N, known["llama-65b"].D) == (65.2e9, 1.4e12)
    assert (known["llama3.1-405b"].N, known["llama3.1-405b"].D) == (405e9, 15.6e12)
    everything = catalog.models(unknown_tokens=True)
    assert {m.id for m in everything} - set(known) == {"gpt2-xl", "mistral-7b"}
    assert len({m.id for m in everything}) == len(everything)
    for model in everything:
        assert model.source
        assert model.url.startswith("https://")
        assert 2019 <= model.year <= 2024
        assert model.N >= 1e9
    for model in everything:
        if model.D is None:
            assert "not published" in model.note
            with pytest.raises(InputError, match="training tokens are not published"):
                _ = model.tokens
        else:
            assert model.tokens == model.D


def test_model_ids_are_unique_in_the_file() -> None:
    with (catalog.DATA / "models.csv").open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert len(ids) == len(set(ids)) == 17


def test_an_exponent_without_amplitude_is_anchored_by_us() -> None:
    word = catalog.reference_exponent("hestness2018-word-lm")
    law = word.anchored(1e9, 3.0)
    assert law.loss(1e9) == pytest.approx(3.0, rel=1e-12)
    assert math.log(law.loss(1e10) / law.loss(1e9)) / math.log(10.0) == pytest.approx(-0.066, rel=1e-9)
    lifted = word.anchored(1e9, 3.0, offset=1.5)
    assert lifted.loss(1e9) == pytest.approx(3.0, rel=1e-12)
    assert lifted.floor == 1.5
    with pytest.raises(InputError, match="above the offset"):
        word.anchored(1e9, 1.0, offset=1.5)
    assert [r.exponent for r in catalog.reference_exponents()] == [0.066, 0.094, 0.309, 0.299]
    assert all(r.secondary for r in catalog.reference_exponents())
