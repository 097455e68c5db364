"""What a person asks of a ladder on the command line, read and checked, and made into a plan."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from scaling_core.errors import InputError
from scaling_core.lab.corpus import load_corpus
from scaling_core.lab.known_texts import list_choices
from scaling_core.lab.modes import mode_rule
from scaling_core.lab.plan import make_plan, make_spec
from scaling_core.lab.records import Calibration, Plan
from scaling_core.lab.rules import heads_for
from scaling_core.lab.spec import MODES, PRECISIONS, RULES, CorpusSpec, Mode, Shape, SweepSpec
from scaling_core.language import t
from scaling_core.output import say
from scaling_core.runs import place, supervisor
from scaling_core.runs.calibrations import calibration, check_device
from scaling_core.runs.rows import SweepRow
from scaling_core.runs.store import Store
from scaling_core.runs.tuning import rate_bowls, rate_law
from scaling_core.units import parse_count, parse_quantity

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Factors on the rate that a tuning sweep tries by default."""
TUNED_SIZES = 3
"""How many of a ladder's sizes, from the smallest on, a tuning sweep takes by default."""
TUNED_HORIZON = 10.0


def add_ladder_options(parser: argparse.ArgumentParser) -> None:
    """The options of `lab plan` and `lab start`."""
    parser.add_argument("--mode", default="live", help=f"{', '.join(MODES)} (default live)")
    _add_common(parser)
    parser.add_argument("--sizes", metavar="K|LIST", help="how many sizes, 3 to 8; or the sizes: 2x32,4x64,4x128")
    parser.add_argument("--horizons", metavar="LIST", help="tokens per parameter to cool at: 5,10,20")
    parser.add_argument("--seeds", metavar="LIST", help="trainings of each size with a seed of its own: 3,2,1,1,1")
    parser.add_argument("--minutes", metavar="M", help="your own time budget")
    parser.add_argument("--max-steps", metavar="S", help="most optimiser steps of a run")
    parser.add_argument("--held-out", metavar="H", help="largest sizes to predict first (default 1, of three or more)")
    parser.add_argument("--rates", metavar="SWEEP", help="take the rate from this sweep of rates, see `lab tune`")
    parser.add_argument("--stop-early", metavar="T", help="stop a run once its end is foretold to this share, e.g. 4%%")


def add_tuning_options(parser: argparse.ArgumentParser) -> None:
    """The options of `lab tune`."""
    parser.add_argument("--mode", default="live", help=f"whose sizes are tuned: {', '.join(MODES)} (default live)")
    _add_common(parser)
    parser.add_argument("--sizes", metavar="LIST", help="the sizes: 2x32,4x64; default the ladder's smallest three")
    parser.add_argument("--factors", metavar="LIST", help="on the rule's rate; default 0.25,0.5,1,2,4")
    parser.add_argument("--horizons", metavar="H", help=f"tokens per parameter; default {TUNED_HORIZON:g}")


def add_extension_options(parser: argparse.ArgumentParser) -> None:
    """The options of `lab extend`."""
    parser.add_argument("--sizes", metavar="LIST", help="further sizes: 4x128")
    parser.add_argument("--horizons", metavar="LIST", help="further horizons: 40")
    parser.add_argument("--seeds", metavar="LIST", help="trainings of each size, the added ones included: 3,3,2,1,1")
    parser.add_argument("--held-out", metavar="H", help="largest sizes to predict first; default as it was")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto, mps, cuda or cpu (default auto)")
    known = ", ".join(one.word for one in list_choices())
    parser.add_argument(
        "--corpus", metavar="TEXT", help=f"a file or folder, hf:OWNER/NAME, or {known} (default stdlib)"
    )
    parser.add_argument(
        "--tokens", metavar="KIND", help="bytes (default), or bpe-1024: a vocabulary trained on the text"
    )
    parser.add_argument("--context", metavar="T", help="tokens of a sequence (default 128)")
    parser.add_argument("--dropout", metavar="P", help="share of activations dropped in training (default 0)")
    parser.add_argument("--precision", metavar="P", help=f"{' or '.join(PRECISIONS)} (default float32)")
    parser.add_argument("--seed", metavar="S", help="default: the first of which there is no sweep")
    parser.add_argument("--measure", action="store_true", help="measure the device again")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a person asks of a sweep beyond its device and its text: words as they typed them, None where they did not.

    tunes: a sweep of rates instead of a ladder. Fields as the options of the command line have them.
    """

    mode: Mode = "live"
    tunes: bool = False
    sizes: str | None = None
    horizons: str | None = None
    seeds: str | None = None
    minutes: str | None = None
    max_steps: str | None = None
    held_out: str | None = None
    context: str | None = None
    dropout: str | None = None
    precision: str | None = None
    rates: str | None = None
    factors: str | None = None
    stop_early: str | None = None

    @classmethod
    def of(cls, args: argparse.Namespace, *, tunes: bool = False) -> Wish:
        """The options of a command, as far as it has them."""
        names = (one.name for one in fields(cls) if one.name != "tunes")
        return cls(tunes=tunes, **{name: getattr(args, name) for name in names if hasattr(args, name)})


def plan_of(
    wish: Wish, calibration: Calibration, corpus: CorpusSpec, *, home: Path, seed: int = 0, unique_tokens: int | None
) -> Plan:
    """The plan for a wish on a measured machine. Raises InputError with the field that cannot be, DeviceError."""
    shapes, count = parse_sizes(wish.sizes)
    minutes = None if wish.minutes is None else parse_quantity(wish.minutes, field="minutes")
    rule = mode_rule(wish.mode, sizes=count, minutes=minutes)
    settings = _settings(wish, home)
    horizons, seeds = parse_numbers(wish.horizons, field="horizons"), parse_counts(wish.seeds, field="seeds")
    held_out = min(1, max(0, (rule.sizes if shapes is None else len(shapes)) - 2))
    if wish.held_out is not None:
        held_out = parse_count(wish.held_out, field="held-out", maximum=6)
    if wish.tunes:
        shapes = shapes or make_spec(wish.mode, calibration, corpus, settings=_context(wish)).shapes[:TUNED_SIZES]
        horizons, seeds, held_out = horizons or (TUNED_HORIZON,), seeds or (), 0
        settings["rate_factors"] = parse_numbers(wish.factors, field="factors") or FACTORS
    spec = make_spec(
        wish.mode,
        calibration,
        corpus,
        seed,
        sizes=count,
        minutes=minutes,
        held_out=held_out,
        shapes=shapes,
        horizons=horizons,
        seeds=seeds,
        settings=settings,
    )
    return make_plan(spec, calibration, unique_tokens=unique_tokens, asked_seconds=rule.seconds)


def asked(args: argparse.Namespace, *, tunes: bool = False) -> tuple[Plan, bool]:
    """The plan that the options ask for, and whether its seed was given. Measures the device where that is new."""
    wish, home = Wish.of(args, tunes=tunes), place.home()
    mode_rule(wish.mode)
    check_device(args.device)
    corpus = parse_corpus(args.corpus, args.tokens)
    seed = None if args.seed is None else parse_count(args.seed, field="seed")
    text = load_corpus(corpus, home / "corpora")
    if args.measure or calibration(home, args.device) is None:
        say(f"Measuring {args.device}: about ten seconds, once for this machine.")
    measured = supervisor.measure(args.device, home, again=args.measure)
    plan = plan_of(wish, measured, corpus, home=home, seed=seed or 0, unique_tokens=text.train.size)
    return (plan if seed is not None else supervisor.with_free_seed(plan, home)), seed is not None


def extended_plan(row: SweepRow, wish: Wish, calibration: Calibration) -> Plan:
    """The plan of a sweep with what a wish adds to it. Raises InputError where that cannot be, or nothing is added."""
    unique = row.corpus.get("train_tokens", row.corpus.get("train_bytes"))
    return make_plan(extension(row.plan.spec, wish), calibration, unique_tokens=unique)


def extension(old: SweepSpec, wish: Wish) -> SweepSpec:
    """A sweep with what is asked for added to an old one: sizes, horizons or seeds. Raises InputError where nothing is.

    What both have in common is taken over from the old one when the new one is trained.
    """
    if old.rules != RULES:
        raise InputError(
            "sweep", old.id, t("it was trained under other rules, and would be trained anew: start a new one")
        )
    shapes, count = parse_sizes(wish.sizes)
    if count is not None:
        raise InputError("sizes", wish.sizes, t("the sizes to add must be written out, such as 4x128"))
    everything = {shape.name: shape for shape in (*old.shapes, *(shapes or ()))}
    ordered = tuple(sorted(everything.values(), key=lambda shape: old.parameters(shape).with_head))
    horizons = tuple(sorted({*old.horizons, *(parse_numbers(wish.horizons, field="horizons") or ())}))
    seeds = parse_counts(wish.seeds, field="seeds")
    if seeds is None and old.seeds:
        known = dict(zip(old.shapes, old.seeds, strict=True))
        seeds = tuple(known.get(shape, 1) for shape in ordered)
    held_out = old.held_out if wish.held_out is None else parse_count(wish.held_out, field="held-out", maximum=6)
    new = replace(
        old, shapes=ordered, horizons=horizons, seeds=old.seeds if seeds is None else seeds, held_out=held_out
    )
    if new == old:
        raise InputError("extension", "nothing", t("name sizes, horizons or seeds to add"))
    return new


def tuned_rate(sweep: str, home: Path) -> dict[str, float]:
    """The rate law that a finished sweep of rates found, as fields of a `SweepSpec`. Raises InputError, FitError."""
    with Store.open_reader(home) as store, store.snapshot():
        row = store.sweep(place.check_sweep_id(sweep))
        if row is None:
            raise InputError("rates", sweep, t("there is no sweep of that name; `lab list` shows those there are"))
        runs = store.runs(sweep)
    if not row.plan.spec.tunes:
        raise InputError("rates", sweep, t("it is a ladder, not a sweep of rates; `lab tune` makes one"))
    law = rate_law(rate_bowls(row.plan, runs))
    return {"rate_coefficient": round(law.coefficient, 8), "rate_exponent": round(law.exponent, 6)}


def parse_corpus(words: str | None, tokens: str | None) -> CorpusSpec:
    """The text that is named, as bytes or as 'bpe-1024' says. Raises InputError."""
    kind, _, entries = (tokens or "bytes").strip().lower().partition("-")
    vocab = parse_count(entries, field="tokens", minimum=1) if entries else 0
    if kind not in ("bytes", "bpe"):
        raise InputError("tokens", tokens, t("it must be bytes, or bpe with its entries, such as bpe-1024"))
    return CorpusSpec.from_words(words or "stdlib", tokens="bpe" if kind == "bpe" else "bytes", vocab_size=vocab)


def parse_sizes(text: str | None) -> tuple[tuple[Shape, ...] | None, int | None]:
    """Sizes written out ('2x32,4x128', or '4x128x4' with its heads), or how many ('5'). Raises InputError."""
    if text is None:
        return None, None
    if "x" not in text:
        return None, parse_count(text, field="sizes", minimum=3, maximum=8)
    return tuple(_shape(word) for word in text.split(",")), None


def _shape(word: str) -> Shape:
    parts = word.strip().split("x")
    if len(parts) not in (2, 3) or not all(part.isdigit() for part in parts):
        raise InputError("sizes", word, t("a size is layers x width, such as 4x128, or with its heads 4x128x4"))
    layers, width = int(parts[0]), int(parts[1])
    return Shape(n_layer=layers, d_model=width, n_head=int(parts[2]) if len(parts) == 3 else heads_for(width))


def parse_numbers(text: str | None, *, field: str) -> tuple[float, ...] | None:
    """Numbers between commas, ascending as written or not; each once. Raises InputError."""
    if text is None:
        return None
    return tuple(sorted({parse_quantity(word, field=field) for word in text.split(",")}))


def parse_counts(text: str | None, *, field: str) -> tuple[int, ...] | None:
    """Whole numbers between commas, in their order. Raises InputError."""
    if text is None:
        return None
    return tuple(parse_count(word, field=field, minimum=1, maximum=16) for word in text.split(","))


def parse_share(text: str, *, field: str) -> float:
    """A share such as 1% or 0.01. Raises InputError."""
    word = text.strip()
    value = parse_quantity(word.removesuffix("%"), field=field)
    return value / 100 if word.endswith("%") else value


def _settings(wish: Wish, home: Path) -> dict[str, Any]:
    settings = _context(wish)
    if wish.dropout is not None:
        settings["dropout"] = parse_share(wish.dropout, field="dropout")
    if wish.precision is not None:
        settings["precision"] = wish.precision
    if wish.max_steps is not None:
        settings["max_steps"] = parse_count(wish.max_steps, field="max-steps", minimum=2)
    if wish.stop_early is not None:
        settings["stop_early"] = parse_share(wish.stop_early, field="stop-early")
    if wish.rates is not None:
        settings |= tuned_rate(wish.rates, home)
    return settings


def _context(wish: Wish) -> dict[str, Any]:
    if wish.context is None:
        return {}
    return {"context": parse_count(wish.context, field="context", minimum=8, maximum=8192)}
