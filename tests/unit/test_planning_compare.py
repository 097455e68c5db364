"""Configurations beside each other: what pasted text is read as, and which differences the refits can tell apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_core.catalog import preset
from scaling_core.errors import InputError
from scaling_core.hardware import device
from scaling_core.laws import ChinchillaLaw
from scaling_core.optimum import judge
from scaling_core.planning import machine
from scaling_core.planning.compare import MOST, Configuration, compare, parse_configurations

LAW = preset("besiroglu2024")
TEXT = "GPT-3, 175B, 300B\nChinchilla, 70B, 1.4T\nGopher, 280B, 300B\n"
CONFIGURATIONS = (
    Configuration(name="GPT-3", N=175e9, D=300e9),
    Configuration(name="Chinchilla", N=70e9, D=1.4e12),
    Configuration(name="Gopher", N=280e9, D=300e9),
)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace(", ", ","),
        TEXT.replace(", ", "\t"),
        TEXT.replace(", ", " ; "),
        TEXT.replace(", ", "，"),
        "name, N, D\n" + TEXT,
        "model\tparams\ttokens\n" + TEXT.replace(", ", "\t"),
        "\n\n  " + TEXT.replace("\n", "\r\n\r\n"),
        "GPT-3\t175,000,000,000\t3e11\nChinchilla\t70 b\t1.4 T\nGopher\t2.8 x 10^11\t300000M",
    ],
)
def test_every_way_to_write_them(text: str) -> None:
    assert parse_configurations(text) == CONFIGURATIONS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "configurations: got '0 lines', but there must be 1 to 12 lines"),
        (" \n\t\n", "configurations: got '0 lines'"),
        ("name, N, D", "configurations: got '0 lines'"),
        ("\n".join(f"m{k}, 1B, 20B" for k in range(13)), "configurations: got '13 lines'"),
        ("x" * 20_001, "configurations: got '20001 characters', but it must be at most 20000"),
        ("a, 1B", "line 1: got 'a, 1B', but it must have three fields"),
        ("a, 1B, 2B, 3B", "line 1: got 'a, 1B, 2B, 3B', but it must have three fields"),
        ("a, 1B, 20B\n\nb 1B 20B", "line 3: got 'b 1B 20B'"),
        (", 1B, 20B", "line 1: got 'nothing', but the name must have 1 to 60 printable characters"),
        ("x" * 61 + ", 1B, 20B", "line 1: got 'x.*, but the name must have"),
        ("a\x00b, 1B, 20B", r"line 1: got 'a\\\\x00b', but the name"),
        ("a\u202eb, 1B, 20B", r"line 1: got 'a\\\\u202eb', but the name"),
        ("a, many, 20B", "line 1, N: got 'many', but it must be a number from 1 to 1e40"),
        ("a, 1B, ", "line 1, D: got ''"),
        ("a, nan, 20B", "line 1, N: got 'nan'"),
        ("a, inf, 20B", "line 1, N: got 'inf'"),
        ("a, -1B, 20B", "line 1, N: got '-1B'"),
        ("a, 0, 20B", "line 1, N: got '0'"),
        ("a, 0.5, 20B", r"line 1, N: got '0\.5'"),
        ("a, 1e999, 20B", "line 1, N: got '1e999'"),
        ("a, 1B, 20B\na, 2B, 20B", "name: got 'a', but each configuration must have a name of its own"),
        ("=cmd|' /C calc'!A0, __import__('os'), 1", 'line 1, N: got "__import__'),
    ],
)
def test_hostile_text_gets_one_sentence(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        parse_configurations(text)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 250


@given(text=st.text(max_size=400))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_configurations(text)
    except InputError:
        return
    assert 1 <= len(found) <= MOST
    assert len({one.name for one in found}) == len(found)
    assert all(one.N >= 1 and one.D >= 1 for one in found)


def test_each_row_is_what_the_law_says() -> None:
    rented = machine(device("h100-sxm"), count=64, mfu=0.4)
    rows = compare(LAW, CONFIGURATIONS, rented).rows
    for one, row in zip(CONFIGURATIONS, rows, strict=True):
        verdict = judge(LAW.joint, one.N, one.D)
        assert row.configuration is one
        assert row.C == 6 * one.N * one.D
        assert row.tokens_per_param == one.D / one.N
        assert row.loss == verdict.loss
        assert row.excess_loss == verdict.loss_gap
        assert row.wasted_share == verdict.compute_left / row.C
        assert row.seconds == rented.seconds(row.C)
        assert row.usd == rented.usd(row.C)
        assert row.loss_interval is not None
        assert row.loss_interval.low < row.loss < row.loss_interval.high
        assert row.extrapolation.factors == LAW.range_factors(N=one.N, D=one.D)
    assert [row.configuration.name for row in compare(LAW, CONFIGURATIONS).ranked()] == [
        "Chinchilla",
        "Gopher",
        "GPT-3",
    ]
    assert rows[0].wasted_share is not None
    assert rows[0].wasted_share > 0.3


def test_the_share_is_counted_refit_by_refit() -> None:
    close = (Configuration(name="a", N=0.9e9, D=25.2e9), Configuration(name="b", N=1.1e9, D=20.6e9))
    pair = compare(LAW, close).pairs[0]
    assert LAW.replicates is not None
    names = list(LAW.joint.constants)
    same = 0
    for row in LAW.replicates.tolist():
        law = ChinchillaLaw(**dict(zip(names, row, strict=True)))
        same += np.sign(law.loss(0.9e9, 25.2e9) - law.loss(1.1e9, 20.6e9)) == np.sign(pair.difference)
    assert pair.share == pytest.approx(same / len(LAW.replicates), abs=1e-12)
    assert pair.share is not None
    assert 0.1 < pair.share < 0.9


def test_which_differences_are_clear() -> None:
    rows = (
        *CONFIGURATIONS,
        Configuration(name="twin", N=70e9, D=1.4e12),
        Configuration(name="neighbour", N=0.9e9, D=25.2e9),
        Configuration(name="other neighbour", N=1.1e9, D=20.6e9),
    )
    found = compare(LAW, rows)
    assert len(found.pairs) == 15
    clear = found.pair("GPT-3", "Chinchilla")
    assert clear.clear is True
    assert clear.better == "Chinchilla"
    assert clear.difference > 0
    turned = found.pair("Chinchilla", "GPT-3")
    assert (turned.difference, turned.share, turned.better) == (-clear.difference, clear.share, "Chinchilla")
    twins = found.pair("Chinchilla", "twin")
    assert (twins.difference, twins.share, twins.clear, twins.better) == (0.0, 1.0, False, None)
    near = found.pair("neighbour", "other neighbour")
    assert near.clear is False
    assert near.share is not None
    assert near.share < 0.95
    with pytest.raises(InputError, match="configuration: got 'GPT-3, GPT-3', but give two different ones"):
        found.pair("GPT-3", "GPT-3")


def test_without_refits_nothing_is_clear_or_unclear() -> None:
    for source in (preset("hoffmann2022"), LAW.joint):
        found = compare(source, CONFIGURATIONS)
        assert {(pair.share, pair.clear) for pair in found.pairs} == {(None, None)}
        assert all(row.loss_interval is None and row.usd is None and row.seconds is None for row in found.rows)


def test_a_law_without_an_optimum_leaves_the_distance_open() -> None:
    row = compare(preset("talk-slides"), (Configuration(name="tiny", N=10.0, D=10.0),)).rows[0]
    assert (row.verdict, row.excess_loss, row.wasted_share) == (None, None, None)
    assert row.loss > 0


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((), "configurations: got 0, but there must be 1 to 12"),
        (tuple(Configuration(name=str(k), N=1e9, D=1e9) for k in range(13)), "configurations: got 13"),
        (CONFIGURATIONS[:1] * 2, "name: got 'GPT-3', but each configuration must have a name of its own"),
        ((Configuration(name="a", N=float("nan"), D=1e9),), "a, N: got nan"),
        ((Configuration(name="a", N=1e9, D=0.0),), r"a, D: got 0\.0"),
    ],
)
def test_what_cannot_be_compared_is_refused(rows: tuple[Configuration, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        compare(LAW, rows)
    with pytest.raises(InputError, match="it is a law in N alone"):
        compare(preset("kaplan2020-n"), CONFIGURATIONS)
