"""What the lab's page says: names of modes, devices and states, moments, headlines. Pure text."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scaling_core.errors import FitError
from scaling_core.lab.records import Plan
from scaling_core.lab.spec import Mode
from scaling_core.language import t, together
from scaling_core.runs.liveness import ShownState
from scaling_core.runs.progress import SweepStatus
from scaling_core.runs.rows import PredictionRow, RunRow, SweepRow
from scaling_core.runs.tuning import rate_bowls, rate_law
from scaling_core.units import format_loss, format_quantity
from scaling_core.viz.lab_frames import rung_label

DEVICE_NAMES = {"mps": "MPS", "cuda": "CUDA", "cpu": "CPU"}


def modes() -> dict[Mode, tuple[str, str]]:
    """Name with its length, and purpose, of each mode in the order of the page."""
    return {
        "live": (t("Live, 3 minutes"), t("Short enough to watch with an audience.")),
        "quick": (t("Quick, an hour"), t("A first law of one's own, over more decades.")),
        "standard": (t("Standard, a night"), t("Enough decades to trust an exponent.")),
        "full": (t("Full, days"), t("As far as this machine goes in days.")),
        "smoke": (t("Smoke, 20 seconds"), t("A check that everything works; too short for a law.")),
    }


def mode_name(mode: Mode) -> str:
    """A mode in a word."""
    return {
        "live": t("Live"),
        "quick": t("Quick"),
        "standard": t("Standard"),
        "full": t("Full"),
        "smoke": t("Smoke"),
    }[mode]


def devices() -> dict[str, str]:
    """What each device is called where it is chosen, by its word on the command line."""
    return {
        "auto": t("Automatic: MPS, then CUDA, then CPU"),
        "mps": t("MPS (the Mac's GPU)"),
        "cuda": t("CUDA (an NVIDIA GPU)"),
        "cpu": "CPU",
    }


def steps() -> tuple[tuple[str, str], ...]:
    """The explanation of a ladder in three parts, title and text each."""
    return (
        (
            t("1. Train a ladder"),
            t(
                "GPT-style models, from small to large, read the text token by token. Every size is cooled at several "
                "lengths, and the smallest are trained with several seeds: each cooled end is one point."
            ),
        ),
        (
            t("2. Fit the law"),
            t(
                "L(N, D) = E + A / Nᵅ + B / Dᵝ is fitted to the points, again with every point that arrives, with the "
                "band that the data leave open."
            ),
        ),
        (
            t("3. Predict, then measure"),
            t(
                "The largest size stays out of the fit. Its loss is predicted and stored with the time, and only then "
                "trained: the point lands on the curve, or it does not."
            ),
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Headline:
    """The page's opening: a quiet line, a sentence, and one more line or nothing."""

    question: str
    sentence: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A prediction against its measurement. error: predicted / measured - 1, None until it is measured."""

    prediction: PredictionRow
    measured: float | None
    error: float | None
    inside: bool | None

    @property
    def error_text(self) -> str:
        """The error as +0.5%, or a dash."""
        return "–" if self.error is None else f"{100 * self.error:+.2f}%".replace("-", "\u2212")


def scores(predictions: Iterable[PredictionRow], runs: Sequence[RunRow]) -> list[Score]:
    """Every prediction with what came of it, in the order given (smallest compute first)."""
    measured = {run.id: run.loss for run in runs}
    found = []
    for row in predictions:
        loss = measured.get(row.run_id)
        found.append(
            Score(
                prediction=row,
                measured=loss,
                error=None if loss is None else row.loss / loss - 1.0,
                inside=None if loss is None else row.low <= loss <= row.high,
            )
        )
    return found


def main_score(found: Sequence[Score]) -> Score | None:
    """The prediction that counts most: of the longest run of the largest size."""
    return found[-1] if found else None


def clock(at: float, *, seconds: bool = False, now: float | None = None) -> str:
    """A moment for reading: 14:03 (14:03:22 with seconds), with the date in front where it is not today."""
    then, today = time.localtime(at), time.localtime(time.time() if now is None else now)
    text = time.strftime("%H:%M:%S" if seconds else "%H:%M", then)
    if then[:3] == today[:3]:
        return text
    return t("{day:02d} {month}, {clock}", day=then.tm_mday, month=_short_months()[then.tm_mon - 1], clock=text)


def date(at: float) -> str:
    """The day of a moment, in UTC: 5 March 2026."""
    then = time.gmtime(at)
    return t("{day} {month} {year}", day=then.tm_mday, month=_months()[then.tm_mon - 1], year=then.tm_year)


def _short_months() -> tuple[str, ...]:
    return (
        *(t("Jan"), t("Feb"), t("Mar"), t("Apr"), t("May"), t("Jun")),
        *(t("Jul"), t("Aug"), t("Sep"), t("Oct"), t("Nov"), t("Dec")),
    )


def _months() -> tuple[str, ...]:
    return (
        *(t("January"), t("February"), t("March"), t("April"), t("May"), t("June")),
        *(t("July"), t("August"), t("September"), t("October"), t("November"), t("December")),
    )


def commas(parts: Sequence[str]) -> str:
    """Parts of a remark one after the other: held out, failed."""
    return functools.reduce(lambda some, another: t("{some}, {another}", some=some, another=another), parts or ("",))


def sweep_name(row: SweepRow) -> str:
    """A ladder in a few words that never change: Live · CPU · 14:03:22; Rates for a sweep of rates."""
    mode = t("Rates") if row.plan.spec.tunes else mode_name(row.plan.spec.mode)
    return f"{mode} · {DEVICE_NAMES[row.plan.spec.device]} · {clock(row.created_at, seconds=True)}"


def sweep_names(rows: Sequence[SweepRow]) -> dict[str, str]:
    """A name for each ladder by id, no two alike: those of one second carry the end of their id."""
    names = {row.id: sweep_name(row) for row in rows}
    counts = Counter(names.values())
    return {sweep: name if counts[name] == 1 else f"{name} · {sweep[-4:]}" for sweep, name in names.items()}


def headline(row: SweepRow, status: SweepStatus, found: Sequence[Score]) -> Headline:
    """What there is to say about a ladder now: how far it is, and the prediction as soon as there is one."""
    spec = row.plan.spec
    local = t("local text")
    question = t(
        "{ladder} · {device} · {text} · started {clock}",
        ladder=_kind(row),
        device=DEVICE_NAMES[spec.device],
        text=str(row.corpus.get("name") or local),
        clock=clock(row.created_at),
    )
    done, runs = sum(run.loss is not None for run in status.runs), len(status.runs)
    score = main_score([one for one in found if one.measured is not None]) or main_score(found)
    kept = t("Everything measured is kept. Resume goes on from the last checkpoint.")
    if status.state == "interrupted":
        gone = t("Interrupted after {done} of {runs} runs: its process is gone.", done=done, runs=runs)
        return Headline(question=question, sentence=gone, detail=kept)
    if status.state == "failed":
        return Headline(
            question=question,
            sentence=t("Failed after {done} of {runs} runs.", done=done, runs=runs),
            detail=row.message or t("Resume tries again from the last checkpoint."),
        )
    if status.state == "stopped":
        stopped = t("Stopped after {done} of {runs} runs.", done=done, runs=runs)
        return Headline(question=question, sentence=stopped, detail=row.message or kept)
    if score is not None:
        return Headline(question=question, sentence=_foretold(score), detail=_held_out(score))
    if spec.tunes:
        return _of_rates(question, row, status)
    if status.state == "finished":
        finished = t("Finished: {done} of {runs} runs measured.", done=done, runs=runs)
        return Headline(question=question, sentence=finished, detail=row.message or "")
    size = current_size(row.plan, status)
    left = sum(run.state in ("waiting", "running") and not run.held_out for run in status.runs)
    if not left and spec.held_out:
        now = t("{done} runs measured: now the largest size is predicted.", done=done)
        return Headline(question=question, sentence=now)
    if size is not None:
        now = t("Training {size} parameters: {done} of {runs} runs measured.", size=size, done=done, runs=runs)
    elif done:
        now = t("{done} of {runs} runs measured: preparing the next size.", done=done, runs=runs)
    else:
        now = t("Preparing the text and the device.")
    if spec.held_out:
        more = t("{left} more to fit; then the largest size is predicted before it is trained.", left=left)
    else:
        more = t("{left} more to fit; nothing is held out.", left=left)
    return Headline(question=question, sentence=now, detail=more)


def _kind(row: SweepRow) -> str:
    """What sort of ladder it is."""
    if row.plan.spec.tunes:
        return t("Sweep of rates")
    if row.plan.spec.mode == "smoke":
        return t("Smoke ladder, too short for a law")
    return t("{mode} ladder", mode=mode_name(row.plan.spec.mode))


def _foretold(score: Score) -> str:
    """The prediction, and what came of it."""
    predicted = format_loss(score.prediction.loss)
    if score.error is None:
        return t("Predicted: {predicted}. Now the largest size is trained to see.", predicted=predicted)
    measured, off = format_loss(score.measured or 0.0), 100 * abs(score.error)
    if score.inside:
        return t(
            "Predicted {predicted}, measured {measured}: off by {off:.2f}%, inside the interval.",
            predicted=predicted, measured=measured, off=off,
        )  # fmt: skip
    return t(
        "Predicted {predicted}, measured {measured}: off by {off:.2f}%, outside the interval.",
        predicted=predicted, measured=measured, off=off,
    )  # fmt: skip


def _of_rates(question: str, row: SweepRow, status: SweepStatus) -> Headline:
    """A sweep of rates: the law it found, or how far it is."""
    done, runs = sum(run.loss is not None for run in status.runs), len(status.runs)
    if status.state != "finished":
        size = current_size(row.plan, status)
        if size is None:
            now = t("Preparing the next rate: {done} of {runs} runs measured.", done=done, runs=runs)
        else:
            now = t("Training {size} parameters: {done} of {runs} runs measured.", size=size, done=done, runs=runs)
        return Headline(
            question=question,
            sentence=now,
            detail=t("Each size is trained at several rates; its least loss says which rate is best."),
        )
    try:
        law = rate_law(rate_bowls(row.plan, status.runs))
    except FitError as error:
        none = t("Finished: {done} of {runs} runs measured, and no law for the rate.", done=done, runs=runs)
        return Headline(question=question, sentence=none, detail=str(error))
    power = f"{law.exponent:.2f}".replace("-", "\u2212")
    return Headline(
        question=question,
        sentence=t(
            "The best rate is {rate:.2g} at 100K parameters and changes as N to the {power}.",
            rate=law.coefficient, power=power,
        ),
        detail=together(law.note, t("A new ladder can take its rates from here.")),
    )  # fmt: skip


def outcome(state: ShownState, runs: Sequence[RunRow], predictions: Iterable[PredictionRow]) -> str:
    """A past ladder's state and result in one line."""
    named = {
        "running": t("In training"),
        "finished": t("Finished"),
        "stopped": t("Stopped"),
        "interrupted": t("Interrupted"),
        "failed": t("Failed"),
    }[state]
    done = sum(run.loss is not None for run in runs)
    score = main_score([one for one in scores(predictions, runs) if one.measured is not None])
    if score is None or score.measured is None:
        return t("{state}, {done} of {runs} runs measured", state=named, done=done, runs=len(runs))
    return t(
        "{state}, {done} of {runs} runs measured; predicted {predicted}, measured {measured} ({error})",
        state=named,
        done=done,
        runs=len(runs),
        predicted=format_loss(score.prediction.loss),
        measured=format_loss(score.measured),
        error=score.error_text,
    )


def current_size(plan: Plan, status: SweepStatus) -> str | None:
    """Parameters of the size in training, as text, or None."""
    rung = next((run.rung for run in plan.runs if run.id == status.current_run), None)
    return None if rung is None else rung_label(plan.sizes[rung])


def _held_out(score: Score) -> str:
    row = score.prediction
    return t(
        "{params} parameters on {tokens} tokens, never part of the fit; predicted from {n} smaller runs at {clock}.",
        params=format_quantity(row.params),
        tokens=format_quantity(row.tokens),
        n=len(row.fitted_runs),
        clock=clock(row.made_at, seconds=True),
    )


def constant(value: float) -> str:
    """A constant of a law to three digits: 0.345, 20.1, 1.2K; what rounds to nothing is 0."""
    return "0" if abs(value) < 5e-4 else format_quantity(value)


def span(low: str, high: str) -> str:
    """From one number to another, both written already: 0.3 to 0.4."""
    return t("{low} to {high}", low=low, high=high)
