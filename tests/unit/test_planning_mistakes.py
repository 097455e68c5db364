"""What the usual mistakes cost: against the laws written out again, searched minima, and what must hold of any cost."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy.optimize import brentq, minimize_scalar

from scaling_core.catalog import Preset, preset, presets
from scaling_core.hardware import device
from scaling_core.language import LANGUAGES, Language, speaking
from scaling_core.optimum import optimal_for_compute
from scaling_core.planning import Budgeted, Source, TrainingBudget, budgeted, machine
from scaling_core.planning.cost import Mistake, apart, money, nats, percent, short
from scaling_core.planning.mistakes import APPLIES, PASSES, at_ratio, mistakes, repeated_cost
from scaling_core.planning.mistakes_running import BATCH_TIMES, by_peak, tokens_factor
from scaling_core.planning.prepared import Prepared, prepared
from scaling_core.planning.trust import trust

A100 = device("a100-80gb")
BESIROGLU = preset("besiroglu2024")
JOINT = [one.id for one in presets("joint") if one.warning is None]
IDS = ["peak", "size", "small", "twenty", "law", "epochs", "batch", "memory", "counting"]


def plan_of(source: Source = BESIROGLU, *, mfu: float = 0.4, count: int = 1, **budget: float) -> Budgeted:
    return budgeted(source, TrainingBudget(**budget or {"days": 30.0}), machine(A100, count=count, mfu=mfu))


def ready(source: Source = BESIROGLU, *, mfu: float = 0.4, count: int = 1, **budget: float) -> Prepared:
    return prepared(source, plan_of(source, mfu=mfu, count=count, **budget), A100)


def costs(one: Prepared, *, others: bool = True) -> dict[str, Mistake]:
    laws = [law for law in presets("joint") if law.warning is None]
    found = mistakes(one, trust(laws, N=one.plan.N, D=one.plan.D).answers if others else ())
    return {mistake.id: mistake for mistake in found}


def written_loss(N: float, D: float) -> float:
    """Besiroglu et al. 2024, written out."""
    return float(math.exp(0.59711196) + 482.006 / N**0.34781 + 2085.43 / D**0.36585)


def searched(C: float) -> tuple[float, float]:
    """The best size for C FLOP and its loss, by a search that knows no formula."""
    found = minimize_scalar(
        lambda x: written_loss(math.exp(x), C / 6 / math.exp(x)), bounds=(10, 30), method="bounded",
        options={"xatol": 1e-9},
    )  # fmt: skip
    return math.exp(found.x), float(found.fun)


def needed(loss: float, C: float) -> float:
    """Compute of which the searched best has that loss."""
    return math.exp(brentq(lambda x: searched(math.exp(x))[1] - loss, math.log(C) - 10, math.log(C) + 0.01))


def test_every_mistake_of_the_month_is_there_with_its_sentence() -> None:
    found = costs(ready())
    assert list(found) == IDS
    for one in found.values():
        assert one.amount is not None
        assert one.figure
        assert one.told.endswith(".")
        assert one.formula
        assert one.source


def test_the_peak_is_paid_as_a_search_says() -> None:
    C = 312e12 * 0.4 * 30 * 86_400
    wanted = searched(C / 0.4)[0]
    one = costs(ready())["peak"]
    assert one.amount == pytest.approx(written_loss(wanted, C / 6 / wanted) - searched(C)[1], abs=1e-9)
    assert "45 days longer" in one.told, "30 days at 40% are 75 days for what the peak promises"


@pytest.mark.parametrize(("id", "ratio"), [("size", 300 / 175), ("small", 15_000 / 8), ("twenty", 20.0)])
def test_a_ratio_costs_what_a_search_says(id: str, ratio: float) -> None:
    plan = plan_of()
    N = math.sqrt(plan.C / 6 / ratio)
    loss, best = written_loss(N, ratio * N), searched(plan.C)[1]
    one = costs(ready())[id]
    assert one.amount == pytest.approx(loss - best, abs=1e-9)
    wasted = 1 - needed(loss, plan.C) / plan.C
    found = at_ratio(BESIROGLU.joint, plan.C, ratio)
    assert found.compute_left / found.C == pytest.approx(wasted, abs=1e-5)
    if id == "twenty":
        assert one.figure == "< 0.001 nats", "here the rule of thumb is as good as the law, and that is said"
        assert "as good" in one.told
    else:
        assert f"{100 * wasted:.0f}% of the compute is wasted, {wasted * 2008.8:,.0f} USD" in one.told


def test_twenty_by_rote_is_dear_where_the_law_says_otherwise() -> None:
    one = costs(ready(preset("kaplan2020-joint")))["twenty"]
    law, C = preset("kaplan2020-joint").joint, plan_of(preset("kaplan2020-joint")).C
    N = math.sqrt(C / 120)
    best = min(float(law.loss(10**x, C / 6 / 10**x)) for x in [8 + k / 2000 for k in range(8000)])
    assert one.amount == pytest.approx(float(law.loss(N, 20 * N)) - best, abs=1e-6)
    assert one.amount is not None
    assert one.amount > 0.02


def test_one_law_is_judged_by_the_worst_of_the_others() -> None:
    one, plan = costs(ready())["law"], plan_of()
    found = {}
    for law in presets("joint"):
        if law.warning is None and law.id != "besiroglu2024":
            sizes = [plan.N * 10 ** (k / 1000) for k in range(-2000, 2001)]
            best = min(float(law.joint.loss(N, plan.C / 6 / N)) for N in sizes)
            found[law.id] = float(law.joint.loss(plan.N, plan.D)) - best
    worst = max(found, key=lambda id: found[id])
    assert one.amount == pytest.approx(found[worst], abs=2e-6)
    assert f"If {short(preset(worst))} holds" in one.told
    assert costs(ready(), others=False)["law"].amount is None
    assert "no other law" in costs(ready(), others=False)["law"].told


def written_out(N: float, D: float, U: float) -> float:
    """Muennighoff et al. 2023, written out."""
    E, A, B, power = math.exp(0.6254804), math.exp(6.255414), math.exp(7.3049974), 0.3526596
    U_D = min(U, D)
    D_eff = U_D + U_D * 15.387756 * (1 - math.exp(-(D / U_D - 1) / 15.387756))
    G = (A / B) ** (1 / (2 * power))
    U_N = min(N, G**2 * U_D)
    N_eff = U_N + U_N * 5.309743 * (1 - math.exp(-(N / U_N - 1) / 5.309743))
    return float(E + A / N_eff**power + B / D_eff**power)


def test_repeated_text_costs_what_the_paper_s_formula_says() -> None:
    assert written_out(6.34e9, 242e9, 25e9) == pytest.approx(2.2256440889984477, abs=1e-12)
    plan, one = plan_of(), costs(ready())["epochs"]
    wanted = written_out(plan.N, plan.D, plan.D / 16) - written_out(plan.N, plan.D, plan.D)
    assert one.amount == pytest.approx(wanted, abs=1e-12)
    four = written_out(plan.N, plan.D, plan.D / 4) - written_out(plan.N, plan.D, plan.D)
    assert f"would cost {four:.3f} nats" in one.told
    own = costs(ready(preset("muennighoff2023")))["epochs"]
    mine = plan_of(preset("muennighoff2023"))
    assert own.amount == pytest.approx(written_out(mine.N, mine.D, mine.D / 16) - mine.loss, abs=1e-12)


def test_repeated_text_is_not_said_far_from_its_runs() -> None:
    one = costs(ready(days=30.0, count=100_000))["epochs"]
    assert (one.amount, one.figure) == (None, "")
    assert "times outside the runs behind Muennighoff" in one.told
    assert APPLIES == 10.0


def test_a_batch_trades_steps_for_tokens_as_the_papers_say() -> None:
    for batch in (0.1, 1.0, 7.0):
        tokens = tokens_factor(batch * 3e6, 3e6)
        steps = tokens / batch
        assert (steps - 1) * (tokens - 1) == pytest.approx(1.0), "McCandlish et al.: (S / S_min - 1)(E / E_min - 1) = 1"
    one, plan = ready(), plan_of()
    assert one.recipe is not None
    critical = 2.1e8 / plan.loss ** (1 / 0.21)
    own = one.recipe.tokens_per_step
    wanted = (1 + BATCH_TIMES) / (1 + own / critical)
    found = costs(one)["batch"]
    assert found.amount == pytest.approx(wanted, rel=1e-12)
    assert f"{(wanted - 1) * 30:.1f} days and {(wanted - 1) * 2008.8:,.0f} USD more" in found.told
    crowded = ready(C=3e20, count=20_000)
    assert crowded.recipe is not None
    beyond = crowded.recipe.tokens_per_step / (2.1e8 / crowded.plan.loss ** (1 / 0.21))
    assert beyond > BATCH_TIMES, "a plan beyond the critical batch already can still make it worse"
    assert costs(crowded)["batch"].amount == pytest.approx((1 + BATCH_TIMES * beyond) / (1 + beyond))


@pytest.mark.parametrize(("precision", "more"), [("mixed", 14), ("float32", 12)])
def test_memory_is_missed_by_what_is_not_weights(precision: str, more: int) -> None:
    one = replace(ready(), precision="mixed" if precision == "mixed" else "float32")
    assert one.model is not None
    found = costs(one)["memory"]
    assert found.amount == more * one.model.count.total
    assert "16 bytes for each parameter" in found.told
    assert "One device of 80 GB holds both." in found.told
    large = costs(ready(N=70e9, D=1.4e12, count=64))["memory"]
    assert "That is 16 devices of 80 GB, not 2." in large.told


def test_the_other_count_is_the_law_at_the_other_size() -> None:
    for id, right in (("besiroglu2024", "total"), ("kaplan2020-joint", "non-embedding")):
        source = preset(id)
        one = ready(source)
        assert one.model is not None
        count, D, law = one.model.count, one.plan.D, source.joint
        losses = {"total": float(law.loss(count.total, D)), "non-embedding": float(law.loss(count.blocks, D))}
        found = costs(one)["counting"]
        assert found.amount == abs(losses["total"] - losses["non-embedding"])
        assert f"instead of {losses[right]:.3f}." in found.told


# ---- what must hold of any cost


@pytest.mark.parametrize("id", JOINT)
@pytest.mark.parametrize("days", [1e-3, 30.0, 3e5])
def test_no_cost_is_negative_and_each_speaks_both_languages(id: str, days: float) -> None:
    one = ready(preset(id), days=days)
    said: dict[Language, list[str]] = {}
    for language in LANGUAGES:
        with speaking(language):
            found = costs(one)
            said[language] = [f"{x.what} {x.told} {x.formula} {x.source}" for x in found.values()]
        assert all(x.amount is None or x.amount >= 0.0 for x in found.values())
        assert all(x.told for x in found.values())
        assert not any("{" in text or "nan" in text for text in said[language])
    assert all(a != b for a, b in zip(*said.values(), strict=True))


@given(log_C=some.floats(40.0, 62.0), id=some.sampled_from(JOINT))
def test_nothing_is_lost_at_the_optimum_and_more_the_farther_one_goes(log_C: float, id: str) -> None:
    law, C = preset(id).joint, math.exp(log_C)
    ratio = optimal_for_compute(law, C).tokens_per_param
    assert at_ratio(law, C, ratio).loss_gap == pytest.approx(0.0, abs=1e-9)
    for direction in (0.5, 2.0):
        gaps = [at_ratio(law, C, ratio * direction**k).loss_gap for k in range(5)]
        assert all(a <= b for a, b in pairwise(gaps))
        assert gaps[-1] > 0.0
    peaks = [by_peak(law, C, mfu).loss_gap for mfu in (1.0, 0.7, 0.4, 0.1)]
    assert peaks[0] == pytest.approx(0.0, abs=1e-9)
    assert all(a < b for a, b in pairwise(peaks))


@given(log_N=some.floats(16.0, 25.0), log_D=some.floats(18.0, 28.0))
def test_reading_once_is_free_and_every_further_time_costs_more(log_N: float, log_D: float) -> None:
    N, D = math.exp(log_N), math.exp(log_D)
    passes = [1.0, 2.0, 4.0, PASSES, 64.0]
    found = [repeated_cost(BESIROGLU, N, D, times) for times in passes]
    assert found[0][0] == 0.0
    assert found[0][1] == pytest.approx(D)
    assert all(a[0] <= b[0] and a[1] > b[1] for a, b in pairwise(found))


# ---- what cannot be said


def test_without_hardware_and_without_a_model_it_is_said() -> None:
    plan = budgeted(BESIROGLU, TrainingBudget(C=1e21))
    found = costs(prepared(BESIROGLU, plan))
    assert found["peak"].amount is None
    assert found["peak"].told == "Not known without hardware."
    assert "more on these devices" not in found["batch"].told
    assert "USD" not in found["size"].told
    tiny = budgeted(BESIROGLU, TrainingBudget(N=1000.0, D=1e6), machine(A100, mfu=0.4))
    small = costs(prepared(BESIROGLU, tiny, A100))
    for id in ("batch", "memory", "counting"):
        assert small[id].amount is None
        assert small[id].told.startswith("Not known: the plan cannot be written out as one model.")


def test_a_whole_peak_is_no_mistake_only_where_it_was_measured() -> None:
    own = costs(ready(mfu=1.0))["peak"]
    assert own.amount is None
    assert "the plan itself does this" in own.told
    here = costs(replace(ready(mfu=1.0), measured=True))["peak"]
    assert here.amount == 0.0
    assert "measured in training here" in here.told


def test_a_law_without_an_optimum_says_why() -> None:
    one = replace(ready(), plan=replace(plan_of(), C=1e-3))
    assert isinstance(one.source, Preset)
    found = costs(one)
    for id in ("peak", "size", "small", "twenty"):
        assert found[id].amount is None
        assert found[id].told.startswith("Not known for this plan. ")


def test_solidity_follows_the_range_of_the_law() -> None:
    inside = costs(ready())["size"].solidity
    assert inside is not None
    assert inside.kind == "measured"
    far = costs(ready(days=30.0, count=10_000))["size"].solidity
    assert far is not None
    assert (far.kind, far.quantity) == ("outside", "N")
    bare = costs(ready(BESIROGLU.joint))["size"].solidity
    assert bare is None, "constants of one's own state no range"


def test_numbers_are_written_for_reading_aloud() -> None:
    assert [nats(x) for x in (0.0, 1e-5, 0.0311)] == ["0 nats", "< 0.001 nats", "+0.031 nats"]
    assert [apart(x) for x in (0.0, 1e-5, 0.0311)] == ["0 nats", "under 0.001 nats", "0.031 nats"]
    assert [money(x) for x in (1e-5, 0.29, 1240.0, 4.56e6)] == ["under 0.01", "0.29", "1,240", "4.56M"]
    assert [percent(x) for x in (0.001, 0.42, 0.9971)] == ["under 1%", "42%", "99.7%"]
