"""A story as slides: each scene's words, the picture that its page would show in its state, its numbers, its link."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from scaling_core.catalog import model, models, preset, presets
from scaling_core.demo import DemoSpec, run_demo
from scaling_core.errors import ScalingError
from scaling_core.language import current, t
from scaling_core.laws import Law, MuennighoffLaw, PowerLaw
from scaling_core.library import find_law
from scaling_core.optimum import (
    Allocation,
    compute_wall,
    data_limited,
    inference_optimal,
    optimal_for_compute,
    optimal_for_loss,
    optimal_for_params,
    optimal_for_tokens,
    smaller_model,
)
from scaling_core.runs import recording, results
from scaling_core.story import PARAMETER, Scene, chosen, law_of, number_of, packed_scene, told
from scaling_core.story.numbers import ExactMatch, Thinking
from scaling_core.story.state import OWN, spelled
from scaling_core.talk import claims
from scaling_core.units import format_flops, format_loss, format_quantity
from scaling_core.viz import lab_frames
from scaling_core.viz.beyond import lifetime_chart, overtraining_chart, share_text
from scaling_core.viz.demo import chinchilla_optimal
from scaling_core.viz.figure import Figure
from scaling_core.viz.isoflop import Ghost, Mark, isoflop_chart
from scaling_core.viz.lab import highest_loss, law_chart, learning_chart, loss_domain, loss_floor
from scaling_core.viz.models import compared, frontiers, nd_plane
from scaling_core.viz.plan_slides import plan_slide
from scaling_core.viz.slide import Slide
from scaling_core.viz.story import exact_chart, pair, power_chart, smooth_chart, thinking_chart
from scaling_core.viz.talk import ratio_chart
from scaling_core.viz.theme import Theme
from scaling_core.viz.wall import epochs_text, wall_chart

Numbers = tuple[tuple[str, str], ...]
Shown = tuple[Figure | None, Numbers]
HEIGHT = 520
"""Pixels of a picture of the lab, which takes its height from its page."""
REFITS = 200


def slides(scenes: Sequence[Scene], theme: Theme, *, base: str = "") -> tuple[Slide, ...]:
    """A slide for each scene, in the present language.

    base: the address of the app, for a link to each scene; without it there are none. A scene whose picture cannot be
    made from its state alone, such as a table that somebody uploaded, is a slide of words.
    """
    return tuple(_slide(scene, theme, base) for scene in scenes)


def _slide(scene: Scene, theme: Theme, base: str) -> Slide:
    draw = DRAWN.get(scene.page)
    try:
        figure, numbers = draw(scene, theme) if draw is not None else (None, ())
    except ScalingError:
        figure, numbers = None, ()
    return Slide(
        title=told(scene, "title"),
        sentence=told(scene, "sentence"),
        notes=told(scene, "point"),
        figure=figure,
        numbers=numbers,
        link=_link(scene, base),
        source=_source(scene),
    )


def _link(scene: Scene, base: str) -> str:
    if not base:
        return ""
    whole = Scene(
        id=scene.id, title=scene.title, sentence=scene.sentence, point=scene.point, page=scene.page,
        state=spelled(scene.page, scene.state), needs=scene.needs, focus=scene.focus, data=scene.data,
    )  # fmt: skip
    page = "" if scene.page == "calculator" else scene.page
    return f"{base}/{page}?{PARAMETER}={packed_scene(whole, language=current(), view='page', story=True)}"


def _source(scene: Scene) -> str:
    """Where the law of the scene comes from, "" for constants of one's own and pages without one."""
    value = scene.state.get("planted" if scene.page == "demo" else "law")
    if scene.page == "story" and scene.state.get("picture") == "power":
        value = chosen(scene.state, "story", "power.law")
    id = value if isinstance(value, str) else str(value["choice"]) if value else OWN
    try:
        return "" if id == OWN else preset(id).told("source")
    except ScalingError:
        return ""


# ---- the pages


def _law(scene: Scene) -> Law:
    return law_of(chosen(scene.state, scene.page, "law"))


def _calculator(scene: Scene, theme: Theme) -> Shown:
    law, state = _law(scene), scene.state
    given = chosen(state, "calculator", "given")
    solve: Mapping[str, Callable[[Law, float], Allocation]] = {
        "C": optimal_for_compute,
        "N": optimal_for_params,
        "D": optimal_for_tokens,
        "loss": optimal_for_loss,
    }
    best = solve[given](law, number_of(state, "calculator", "C" if given == "C" else f"given.{given}"))
    gpt3, chinchilla = model("gpt3"), model("chinchilla")
    marks = [
        Mark(name=gpt3.name, N=gpt3.N, D=gpt3.tokens, strong=True),
        Mark(name=chinchilla.name, N=chinchilla.N, D=chinchilla.tokens),
    ]
    ghosts = [_ghost(pin) for pin in state.get("pins", ())]
    return isoflop_chart(law, best.C, marks, theme, ghosts=ghosts), _optimum(best)


def _ghost(pin: str | Mapping[str, object]) -> Ghost:
    name = find_law(pin).told("short_name") if isinstance(pin, str) else str(pin["name"])
    return Ghost(name=name, law=law_of(pin))


def _optimum(best: Allocation) -> Numbers:
    return (
        (t("compute"), format_flops(best.C)),
        (t("parameters"), format_quantity(best.N)),
        (t("tokens"), format_quantity(best.D)),
        (t("loss, nats per token"), format_loss(best.loss)),
        (t("tokens per parameter"), f"{best.tokens_per_param:.3g}"),
    )


def _models(scene: Scene, theme: Theme) -> Shown:
    value = chosen(scene.state, "models", "law")
    id = value if isinstance(value, str) else str(value["choice"])
    marks = [Mark(name=m.name, N=m.N, D=m.tokens, strong=m.id in ("gpt3", "chinchilla")) for m in models()]
    return nd_plane(marks, frontiers(compared(presets("joint")), id, own=law_of(value)), theme), ()


def _beyond(scene: Scene, theme: Theme) -> Shown:
    """The part of the page that the scene begins at."""
    law, C = _law(scene), number_of(scene.state, "beyond", "C")
    if scene.focus == 0:
        tokens = number_of(scene.state, "beyond", "served")
        found = inference_optimal(law, C=C, D_inference=tokens)
        return lifetime_chart(law, C, tokens, theme), (
            (t("tokens served"), format_quantity(tokens)),
            (t("parameters"), format_quantity(found.N)),
            (t("tokens"), format_quantity(found.D)),
            (t("compute saved"), f"{100 * found.saving:.0f}%"),
        )
    if scene.focus == 1:
        times = number_of(scene.state, "beyond", "times")
        smaller = smaller_model(law, C=C, times=times)
        marks = [Mark(name=m.name, N=m.N, D=m.tokens) for m in models() if m.id in KNOWN]
        return overtraining_chart(law, times, marks, theme), (
            (t("times the training"), f"{times:g}"),
            (t("of the optimal size"), share_text(smaller.fraction)),
        )
    limited = law if isinstance(law, MuennighoffLaw) else preset("muennighoff2023").joint
    assert isinstance(limited, MuennighoffLaw)
    U = number_of(scene.state, "beyond", "unique")
    best, stop = data_limited(limited, U=U, C=C), compute_wall(limited, U, within=0.01)
    return wall_chart(limited, best, stop, theme), (
        (t("unique tokens"), format_quantity(U)),
        (t("epochs"), epochs_text(best.epochs)),
        (t("loss, nats per token"), format_loss(best.loss)),
        (t("more compute stops helping at"), format_flops(stop.C)),
    )


KNOWN = ("gpt3", "chinchilla", "llama-7b", "llama2-7b", "llama3-8b", "llama3.1-405b")


def _demo(scene: Scene, theme: Theme) -> Shown:
    def number(name: str) -> float:
        return number_of(scene.state, "demo", f"demo.{name}")

    spec = DemoSpec(
        law=law_of(chosen(scene.state, "demo", "planted")),
        N_low=number("N_low"),
        N_high=number("N_high"),
        D_low=number("D_low"),
        D_high=number("D_high"),
        n_sizes=int(number("sizes")),
        n_horizons=int(number("horizons")),
        noise=number("noise"),
        seed=int(number("seed")),
        preset_id=None,
    )
    return chinchilla_optimal(run_demo(spec), theme, titled=False), ((t("Seed"), f"{spec.seed}"),)


def _lab(scene: Scene, theme: Theme) -> Shown:
    """The recorded ladder: how it learned for a scene before training, else its law with the prediction."""
    if not recording.EXAMPLE.exists():
        return None, ()
    seen = recording.read_recording(recording.EXAMPLE)
    plan, runs = seen.row.plan, list(seen.runs)
    book = lab_frames.CurveBook(lab_frames.trunk_labels(plan))
    book.add(list(seen.curve))
    curves, points = book.frame(), lab_frames.point_frame(runs, plan)
    if chosen(scene.state, "lab", "sweep") == "new":
        floor = loss_floor([*curves["loss"], *points["loss"]])
        spec = learning_chart(plan, theme, floor=floor, height=HEIGHT)
        ends = lab_frames.end_frame(curves, points, (floor, highest_loss(plan)))
        tables = {"curves": curves, "points": points, "ends": ends}
        return Figure(template=spec, data=tables, values={}), ()
    fit = results.fit_runs(runs, counting="with_head", bootstrap=REFITS)
    foretold = lab_frames.prediction_frame(seen.predictions, runs, plan)
    law = lab_frames.law_frame(fit, plan, "compute")
    domain = loss_domain([*points["loss"], *foretold["loss"]], [*foretold["low"], *foretold["high"], *law["loss"]])
    spec = law_chart(plan, theme, against="compute", domain=domain, height=HEIGHT)
    names = lab_frames.name_frame(law, "compute")
    tables = {"law": law, "names": names, "points": points, "predictions": foretold}
    return Figure(template=spec, data=tables, values={}), ()


def _talk(scene: Scene, theme: Theme) -> Shown:
    verdicts = [claim.verdict for claim in claims()]
    return ratio_chart(claims(), theme), (
        (t("right"), f"{verdicts.count('right')}"),
        (t("wrong"), f"{verdicts.count('wrong')}"),
    )


def _story(scene: Scene, theme: Theme) -> Shown:
    def number(name: str) -> float:
        return number_of(scene.state, "story", name)

    picture = scene.state.get("picture")
    if picture == "power":
        law = preset(chosen(scene.state, "story", "power.law")).law
        assert isinstance(law, PowerLaw)
        panels = [power_chart(law, number("power.floor"), theme, scale) for scale in ("linear", "log")]
        return pair(panels, [t("Linear axes"), t("Logarithmic axes")], theme), ()
    if picture == "emergence":
        above = chosen(scene.state, "story", "emergence.share") == "above"
        found = ExactMatch(law=_law(scene), tokens=number("emergence.tokens"), above=above)
        log = chosen(scene.state, "story", "emergence.scale") == "log"
        panels = [smooth_chart(found, theme), exact_chart(found, theme, "log" if log else "linear")]
        return pair(panels, [t("Loss"), t("Accuracy by exact match")], theme), ()
    if picture == "test-time":
        return thinking_chart(Thinking(start=number("thinking.start") / 100, b=number("thinking.b")), theme), (
            ("b", f"{number('thinking.b'):g}"),
        )
    return None, ()


DRAWN: Mapping[str, Callable[[Scene, Theme], Shown]] = {
    "calculator": _calculator,
    "models": _models,
    "beyond": _beyond,
    "plan": plan_slide,
    "demo": _demo,
    "lab": _lab,
    "talk": _talk,
    "story": _story,
}
"""By page, what draws its picture; the others are slides of words."""
