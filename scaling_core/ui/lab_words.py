"""What the lab's page says: names of modes, devices and states, headlines, and the tables' cells. Pure text."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scaling_core.errors import FitError, ScalingError
from scaling_core.lab.records import LinePlan, Plan
from scaling_core.lab.spec import Mode
from scaling_core.runs.liveness import ShownState
from scaling_core.runs.progress import SweepStatus
from scaling_core.runs.rows import PredictionRow, RunRow, SweepRow
from scaling_core.runs.tuning import rate_bowls, rate_law
from scaling_core.units import format_bytes, format_duration, format_flops, format_loss, format_quantity
from scaling_core.viz.lab_frames import rung_label

log = logging.getLogger("scaling_lab.page")

MODES: dict[Mode, tuple[str, str]] = {
    "live": ("Live, 3 minutes", "Short enough to watch with an audience."),
    "quick": ("Quick, an hour", "A first law of one's own, over more decades."),
    "standard": ("Standard, a night", "Enough decades to trust an exponent."),
    "full": ("Full, days", "As far as this machine goes in days."),
    "smoke": ("Smoke, 20 seconds", "A check that everything works; too short for a law."),
}
"""Name and purpose of each mode, in the order of the page."""

DEVICES: dict[str, str] = {
    "auto": "Automatic: MPS, then CUDA, then CPU",
    "mps": "MPS (the Mac's GPU)",
    "cuda": "CUDA (an NVIDIA GPU)",
    "cpu": "CPU",
}

DEVICE_NAMES = {"mps": "MPS", "cuda": "CUDA", "cpu": "CPU"}

STATES: dict[ShownState, str] = {
    "running": "training",
    "finished": "finished",
    "stopped": "stopped",
    "interrupted": "interrupted",
    "failed": "failed",
}

STEPS: tuple[tuple[str, str], ...] = (
    (
        "1. Train a ladder",
        "GPT-style models, from small to large, read the text token by token. Every size is cooled at several lengths, "
        "and the smallest are trained with several seeds: each cooled end is one point.",
    ),
    (
        "2. Fit the law",
        "L(N, D) = E + A / Nᵅ + B / Dᵝ is fitted to the points, again with every point that arrives, with the band "
        "that the data leave open.",
    ),
    (
        "3. Predict, then measure",
        "The largest size stays out of the fit. Its loss is predicted and stored with the time, and only then trained: "
        "the point lands on the curve, or it does not.",
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
    return text if then[:3] == today[:3] else f"{time.strftime('%d %b', then)}, {text}"


def sweep_name(row: SweepRow) -> str:
    """A ladder in a few words that never change: Live · CPU · 14:03:22; Rates for a sweep of rates."""
    mode = "Rates" if row.plan.spec.tunes else MODES[row.plan.spec.mode][0].split(",")[0]
    return f"{mode} · {DEVICE_NAMES[row.plan.spec.device]} · {clock(row.created_at, seconds=True)}"


def sweep_names(rows: Sequence[SweepRow]) -> dict[str, str]:
    """A name for each ladder by id, no two alike: those of one second carry the end of their id."""
    names = {row.id: sweep_name(row) for row in rows}
    counts = Counter(names.values())
    return {sweep: name if counts[name] == 1 else f"{name} · {sweep[-4:]}" for sweep, name in names.items()}


def headline(row: SweepRow, status: SweepStatus, found: Sequence[Score]) -> Headline:
    """What there is to say about a ladder now: how far it is, and the prediction as soon as there is one."""
    spec = row.plan.spec
    mode = MODES[spec.mode][0].split(",")[0]
    text = str(row.corpus.get("name") or "local text")
    named = "Smoke ladder, too short for a law" if spec.mode == "smoke" else f"{mode} ladder"
    named = "Sweep of rates" if spec.tunes else named
    question = f"{named} · {DEVICE_NAMES[spec.device]} · {text} · started {clock(row.created_at)}"
    done, all_runs = sum(run.loss is not None for run in status.runs), len(status.runs)
    of_runs = f"{done} of {all_runs} runs"
    score = main_score([one for one in found if one.measured is not None]) or main_score(found)
    if status.state == "interrupted":
        return Headline(
            question=question,
            sentence=f"Interrupted after {of_runs}: its process is gone.",
            detail="Everything measured is kept. Resume goes on from the last checkpoint.",
        )
    if status.state == "failed":
        return Headline(
            question=question,
            sentence=f"Failed after {of_runs}.",
            detail=row.message or "Resume tries again from the last checkpoint.",
        )
    if status.state == "stopped":
        return Headline(
            question=question,
            sentence=f"Stopped after {of_runs}.",
            detail=row.message or "Everything measured is kept. Resume goes on from the last checkpoint.",
        )
    if score is not None and score.error is not None:
        sentence = f"Predicted {format_loss(score.prediction.loss)}, measured {format_loss(score.measured or 0.0)}: "
        sentence += f"off by {100 * abs(score.error):.2f}%, {'inside' if score.inside else 'outside'} the interval."
        return Headline(question=question, sentence=sentence, detail=_held_out(score))
    if score is not None:
        sentence = f"Predicted: {format_loss(score.prediction.loss)}. Now the largest size is trained to see."
        return Headline(question=question, sentence=sentence, detail=_held_out(score))
    if spec.tunes:
        return _of_rates(question, row, status, of_runs)
    if status.state == "finished":
        return Headline(question=question, sentence=f"Finished: {of_runs} measured.", detail=row.message or "")
    size = current_size(row.plan, status)
    left = sum(run.state in ("waiting", "running") and not run.held_out for run in status.runs)
    if not left and spec.held_out:
        return Headline(question=question, sentence=f"{done} runs measured: now the largest size is predicted.")
    if size is None:
        sentence = f"{of_runs} measured: preparing the next size." if done else "Preparing the text and the device."
    else:
        sentence = f"Training {size} parameters: {of_runs} measured."
    return Headline(
        question=question,
        sentence=sentence,
        detail=f"{left} more to fit"
        + ("; then the largest size is predicted before it is trained." if spec.held_out else "; nothing is held out."),
    )


def _of_rates(question: str, row: SweepRow, status: SweepStatus, of_runs: str) -> Headline:
    """A sweep of rates: the law it found, or how far it is."""
    if status.state != "finished":
        size = current_size(row.plan, status)
        now = "Preparing the next rate" if size is None else f"Training {size} parameters"
        return Headline(
            question=question,
            sentence=f"{now}: {of_runs} measured.",
            detail="Each size is trained at several rates; its least loss says which rate is best.",
        )
    try:
        law = rate_law(rate_bowls(row.plan, status.runs))
    except FitError as error:
        return Headline(question=question, sentence=f"Finished: {of_runs} measured, and no law for the rate.",
                        detail=str(error))  # fmt: skip
    power = f"{law.exponent:.2f}".replace("-", "\u2212")
    return Headline(
        question=question,
        sentence=f"The best rate is {law.coefficient:.2g} at 100K parameters and changes as N to the {power}.",
        detail=f"{law.note} A new ladder can take its rates from here.",
    )


def sentence(error: BaseException) -> str:
    """What to tell a person of a failure; one that is no sentence of ours goes to the log, under an id."""
    if isinstance(error, ScalingError):
        return str(error)
    mark = uuid.uuid4().hex[:8]
    log.error("the lab's page failed [%s]", mark, exc_info=error)
    return f"Something went wrong here and was written to the log under {mark}; nothing that was stored is lost."


def outcome(state: ShownState, runs: Sequence[RunRow], predictions: Iterable[PredictionRow]) -> str:
    """A past ladder's state and result in one line."""
    done = f"{STATES[state].capitalize()}, {sum(run.loss is not None for run in runs)} of {len(runs)} runs measured"
    score = main_score([one for one in scores(predictions, runs) if one.measured is not None])
    if score is None or score.measured is None:
        return done
    predicted, measured = format_loss(score.prediction.loss), format_loss(score.measured)
    return f"{done}; predicted {predicted}, measured {measured} ({score.error_text})"


def current_size(plan: Plan, status: SweepStatus) -> str | None:
    """Parameters of the size in training, as text, or None."""
    rung = next((run.rung for run in plan.runs if run.id == status.current_run), None)
    return None if rung is None else rung_label(plan.sizes[rung])


def _held_out(score: Score) -> str:
    row = score.prediction
    return (
        f"{format_quantity(row.params)} parameters on {format_quantity(row.tokens)} tokens, never part of the fit; "
        f"predicted from {len(row.fitted_runs)} smaller runs at {clock(row.made_at, seconds=True)}."
    )


def plan_rows(plan: Plan) -> list[tuple[str, ...]]:
    """A row a size for the plan's table, with the columns of `PLAN_COLUMNS`."""
    return [_plan_row([line for line in plan.lines if line.rung == size.rung]) for size in plan.sizes]


PLAN_COLUMNS = ("Size", "N", "All parameters", "Without embedding", "Tokens", "FLOP", "Time", "Memory", "Role")


def _plan_row(lines: Sequence[LinePlan]) -> tuple[str, ...]:
    """One size with all its lines: what they cost together."""
    runs = [run for line in lines for run in line.runs]
    shape, first, last = lines[0].shape, lines[0].runs[0], lines[0].runs[-1]
    tokens = [format_quantity(run.tokens, 2) for run in (first, last)]
    seeds, rates = len({line.seed for line in lines}), len({line.rate_factor for line in lines})
    many = [f"{count} {what}" for count, what in ((seeds, "seeds"), (rates, "rates")) if count > 1]
    return (
        ", ".join([f"{shape.n_layer} layers × {shape.d_model}", *many]),
        format_quantity(last.params),
        format_quantity(last.params_total),
        format_quantity(last.params_non_embedding),
        " to ".join(dict.fromkeys(tokens)),
        format_flops(sum(run.flops for run in runs)).removesuffix(" FLOP"),
        format_duration(sum(run.seconds for run in runs)),
        format_bytes(max(run.memory_bytes for run in runs)),
        "predicted first" if last.held_out else "fitted",
    )


RUN_COLUMNS = ("Parameters", "Tokens", "D/N", "FLOP", "Loss", "± se", "Bits per byte", "Predicted", "Error", "State")


def run_rows(plan: Plan, runs: Sequence[RunRow], found: Sequence[Score]) -> list[tuple[str, ...]]:
    """A row a run for the table of results, with the columns of `RUN_COLUMNS`, largest compute last."""
    by_run = {score.prediction.run_id: score for score in found}
    rows: list[tuple[str, ...]] = []
    for run in runs:
        score = by_run.get(run.id)
        rows.append(
            (
                format_quantity(run.params),
                format_quantity(run.tokens if run.loss is not None else run.planned_tokens),
                f"{run.horizon:g}",
                format_flops(run.flops).removesuffix(" FLOP"),
                "" if run.loss is None else format_loss(run.loss),
                "" if run.se is None else f"{run.se:.4f}",
                "" if run.bits_per_byte is None else format_loss(run.bits_per_byte),
                "" if score is None else format_loss(score.prediction.loss),
                "" if score is None else score.error_text,
                {"finished": "measured", "running": "training"}.get(run.state, run.state)
                + (", held out" if run.held_out else ""),
            )
        )
    return rows


def constant(value: float) -> str:
    """A constant of a law to three digits: 0.345, 20.1, 1.2K; what rounds to nothing is 0."""
    return "0" if abs(value) < 5e-4 else format_quantity(value)
