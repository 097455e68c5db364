"""Quantities: what is read, what is refused and how, and what is written."""

from __future__ import annotations

import math

import pytest

from scaling_core.errors import InputError
from scaling_core.units import (
    format_bytes,
    format_duration,
    format_flops,
    format_loss,
    format_quantity,
    parse_count,
    parse_quantity,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70B", 70e9),
        ("70 b", 70e9),
        ("70G", 70e9),
        ("1.4T", 1.4e12),
        (" 182m ", 182e6),
        ("3K", 3e3),
        ("2P", 2e15),
        ("1,000", 1000.0),
        ("1,234,567.5", 1234567.5),
        ("5.76e23", 5.76e23),
        ("5.76E+23 FLOP", 5.76e23),
        ("5.76 x 10^23", 5.76e23),
        ("5.76×10^23", 5.76e23),
        ("10^21", 1e21),
        (".5T", 5e11),
        ("5.", 5.0),
        ("+7", 7.0),
        ("300B tokens", 300e9),
        ("１４Ｔ".replace("Ｔ", "T"), 14e12),
        (7, 7.0),
        (1.5e10, 1.5e10),
    ],
)
def test_reads_what_people_write(text: str | float, value: float) -> None:
    assert parse_quantity(text, field="params") == value


def test_suffix_keeps_every_digit() -> None:
    assert parse_quantity("6.7B", field="params") == 6.7e9
    assert parse_quantity("0.1T", field="params") == 0.1e12


@pytest.mark.parametrize(
    "bad",
    [
        *("", " ", "abc", "nan", "NaN", "inf", "-inf", "Infinity", "-5", "0", "0.0", "-0", "1,5", "1,00", "12,34,567"),
        *("1 2", "0x10", "1_000", "1e400", "1e-400", "1e41", "10²³", "1B2", "70BB", "--7", "1e", "$5", "1" * 65, "٣"),
        *(float("nan"), float("inf"), -1.0, 0.0, 10**400, True, None, [], "1e99999", "1\x00"),
    ],
)
def test_refuses_in_one_sentence(bad: object) -> None:
    with pytest.raises(InputError) as caught:
        parse_quantity(bad, field="params")  # type: ignore[arg-type]  # the bad value is the test
    text = str(caught.value)
    assert text.startswith("params: got ")
    assert "it must be a positive number up to 1e40" in text
    assert "\n" not in text
    assert len(text) < 220


def test_bounds() -> None:
    assert parse_quantity("1", field="params", minimum=1.0) == 1.0
    assert parse_quantity("1e40", field="params") == 1e40
    assert parse_quantity("0", field="E", allow_zero=True) == 0.0
    assert math.copysign(1.0, parse_quantity("-0", field="E", allow_zero=True)) == 1.0
    with pytest.raises(InputError, match="from 1 to 1e40"):
        parse_quantity("0.5", field="params", minimum=1.0)
    with pytest.raises(InputError, match=r"from 0 to 0\.5"):
        parse_quantity("0.51", field="noise", maximum=0.5, allow_zero=True)
    with pytest.raises(InputError):
        parse_quantity("-1", field="E", allow_zero=True)


def test_counts_are_whole() -> None:
    assert parse_count("4,000", field="bootstrap") == 4000
    assert parse_count("2K", field="bootstrap") == 2000
    assert parse_count(0, field="seed") == 0
    for bad in ("1.5", "-1", "nan", "x", "1e10", ""):
        with pytest.raises(InputError, match=r"seed: got .* whole number from 0 to 2147483647"):
            parse_count(bad, field="seed")


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (70e9, "70B"),
        (1.4e12, "1.4T"),
        (182e6, "182M"),
        (999.96e6, "1B"),
        (999.4e6, "999M"),
        (1234.0, "1.23K"),
        (12.0, "12"),
        (0.5, "0.5"),
        (0.0, "0"),
        (1e15, "1e15"),
        (9.999e14, "1e15"),
        (5.76e23, "5.76e23"),
        (1e-5, "1e-5"),
        (-70e9, "-70B"),
        (math.inf, "\u2013"),
        (math.nan, "\u2013"),
    ],
)
def test_writes_quantities(x: float, text: str) -> None:
    assert format_quantity(x) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (59.6, "1 min"),
        (160.0, "2 min 40 s"),
        (3599.7, "1 h"),
        (11_520.0, "3.2 h"),
        (86_400.0 * 11.41, "11.4 days"),
        (31_557_600.0 * 713, "713 years"),
        (31_557_600.0 * 1e6, "1M years"),
        (-160.0, "-2 min 40 s"),
        (math.inf, "\u2013"),
    ],
)
def test_writes_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_writes_the_rest() -> None:
    assert format_flops(5.76e23) == "5.76e23 FLOP"
    assert format_flops(1e20) == "1e20 FLOP"
    assert format_flops(0.0) == "0 FLOP"
    assert format_bytes(512) == "512 B"
    assert format_bytes(1.2e9) == "1.2 GB"
    assert format_bytes(999_900_000) == "1 GB"
    assert format_loss(1.9366) == "1.937"
    assert format_loss(60.8105) == "60.81"
    assert format_loss(math.nan) == "\u2013"
