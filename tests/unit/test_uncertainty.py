"""The band, the cloud and the spread of the optimum, against quantiles written out again over the refits themselves."""

from __future__ import annotations

from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest

from scaling_core.arrays import FloatArray
from scaling_core.catalog import preset
from scaling_core.laws import ChinchillaLaw, GadreLaw
from scaling_core.optimum import optimal_for_compute
from scaling_core.units import format_quantity
from scaling_core.viz.figure import Figure
from scaling_core.viz.isoflop import Ghost, Mark, _name_boxes, isoflop_chart
from scaling_core.viz.labels import overlap
from scaling_core.viz.live import isoflop_args
from scaling_core.viz.theme import STAGES, dark, enlarged, light
from scaling_core.viz.uncertainty import best_band, constants_chart, optimum_chart

C = 3.15e23
PUBLISHED = preset("besiroglu2024")
OWN = ChinchillaLaw(**{**PUBLISHED.joint.constants, "alpha": 0.36})
MARKS = [Mark(name="GPT-3", N=175e9, D=300e9, strong=True)]


def refits() -> FloatArray:
    assert PUBLISHED.replicates is not None
    return PUBLISHED.replicates


FITTED = Ghost(name="Besiroglu", law=PUBLISHED.joint, replicates=refits(), level=0.95)


def corrected(values: FloatArray, estimate: float, level: float) -> tuple[float, float]:
    """Efron's bias-corrected interval of one quantity, in the plainest form: no code of the project."""
    normal, ordered, count = NormalDist(), sorted(values.tolist()), len(values)
    below = sum(value < estimate for value in ordered) + 0.5 * sum(value == estimate for value in ordered)
    shift = min(1.0, max(-1.0, normal.inv_cdf((below + 0.5) / (count + 1))))
    ends = []
    for tail in (0.5 - level / 2, 0.5 + level / 2):
        place = normal.cdf(2 * shift + normal.inv_cdf(tail)) * (count + 1) - 1
        ends.append(float(np.interp(place, range(count), ordered)))
    return ends[0], ends[1]


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("C", [5.76e23, 3.15e23, 1e20, 1e26])
def test_the_bands_name_keeps_off_the_names_of_curves(C: float, stage: float) -> None:
    theme = enlarged(light(), stage)
    figure = isoflop_chart(FITTED.law, C, [], theme, ghosts=[FITTED])
    axes = tuple(figure.values["x_domain"]), tuple(figure.values["y_domain"])
    (band,) = _name_boxes(figure.data["band_name"].assign(dy=0.0), axes, theme)
    others = _name_boxes(figure.data["names"], axes, theme)
    assert len(others) >= 4
    assert not any(overlap(band, box) for box in others)


def test_the_published_refits_spread_as_the_published_standard_errors() -> None:
    """Besiroglu et al. 2024, table 1; the folder of the runs themselves is not needed for this."""
    assert refits().shape == (500, 5)
    assert not refits().flags.writeable
    for column, published in zip(refits().T, (0.0257, 124.5, 1293.3, 0.0154, 0.0206), strict=True):
        assert column.std() == pytest.approx(published, rel=0.25)


def test_the_band_holds_what_the_refits_say_of_every_size() -> None:
    figure = isoflop_chart(OWN, C, MARKS, light(), ghosts=[FITTED])
    band = figure.data["band"]
    assert len(band) > 50
    E, A, B, alpha, beta = refits().T
    published = PUBLISHED.joint.constants
    for N, low, high in band.iloc[::7].itertuples(index=False):
        D = C / (6 * N)
        losses = E + A / N**alpha + B / D**beta
        here = published["E"] + published["A"] / N ** published["alpha"] + published["B"] / D ** published["beta"]
        lower, upper = corrected(np.log(losses), float(np.log(here)), 0.95)
        top = figure.values["y_domain"][1] * 1.5 - figure.values["y_domain"][0] * 0.5
        assert low == pytest.approx(np.exp(lower), rel=1e-6)
        assert high == pytest.approx(min(np.exp(upper), top), rel=1e-6)
    (name,) = figure.data["band_name"].text
    assert name == "95% interval"


def test_the_band_is_that_of_the_law_with_refits_whatever_the_law_of_the_moment() -> None:
    one, two = (isoflop_chart(law, C, MARKS, light(), ghosts=[FITTED]) for law in (FITTED.law, OWN))
    common = one.data["band"].merge(two.data["band"], on="N")
    assert len(common) > 20
    inside = common[common.high_x < 2.4]
    assert inside.low_x.to_list() == inside.low_y.to_list()
    assert one.data["ghosts"].empty
    assert not two.data["ghosts"].empty


def test_without_refits_there_is_no_band() -> None:
    for ghosts in ([], [Ghost(name="Besiroglu", law=PUBLISHED.joint)]):
        figure = isoflop_chart(OWN, C, MARKS, light(), ghosts=ghosts)
        assert figure.data["band"].empty
        assert figure.data["band_name"].empty
        assert isoflop_args(figure, MARKS, ghosts)["band"] == []
        figure.to_dict(validate=True)


def test_the_region_of_the_cloud_holds_its_level_of_the_refits() -> None:
    figure = constants_chart(FITTED, OWN, "mine", light())
    assert figure is not None
    corners = figure.data["region"][["x", "y"]].to_numpy()
    assert np.mean([_holds(corners, x, y) for x, y in refits()[:, 3:5]]) == pytest.approx(0.95, abs=0.006)
    assert figure.data["points"][["x", "y", "kind", "name"]].values.tolist() == [
        [0.34781, 0.36585, "own", "Besiroglu"],
        [0.36, 0.36585, "other", "mine"],
    ]
    alone = constants_chart(FITTED, FITTED.law, "mine", light())
    assert alone is not None
    assert alone.data["points"].name.to_list() == ["Besiroglu"]


def _holds(corners: FloatArray, x: float, y: float) -> bool:
    """Whether a polygon holds a point: a ray to the right leaves it an odd number of times."""
    crossed = False
    for (x0, y0), (x1, y1) in pairwise(corners):
        if (y0 > y) != (y1 > y) and x < x0 + (y - y0) / (y1 - y0) * (x1 - x0):
            crossed = not crossed
    return crossed


def test_the_spread_of_the_best_size_is_that_of_the_refits() -> None:
    sizes = np.array(
        [optimal_for_compute(ChinchillaLaw(E=E, A=A, B=B, alpha=a, beta=b), C).N for E, A, B, a, b in refits().tolist()]
    )
    here = optimal_for_compute(FITTED.law, C).N
    low, high = (float(np.exp(end)) for end in corrected(np.log(sizes), float(np.log(here)), 0.95))
    figure = optimum_chart(FITTED, OWN, C, "mine", light())
    (interval,) = figure.data["interval"].to_dict("records")
    assert (interval["N"], interval["N2"]) == pytest.approx((low, high), rel=1e-6)
    band = best_band(FITTED, C)
    assert float(band.D.low[0]) == pytest.approx(C / (6 * high), rel=0.01)
    assert figure.data["ends"].text.to_list() == [format_quantity(low), format_quantity(high)]
    bars = figure.data["bars"]
    inside = [np.mean((sizes >= bar.N) & (sizes < bar.N2)) for bar in bars.itertuples()]
    assert bars.share.to_numpy() == pytest.approx(np.array(inside) / max(inside), abs=0.06)
    assert figure.data["lines"].N.to_list() == pytest.approx([here, optimal_for_compute(OWN, C).N], rel=1e-12)


@pytest.mark.parametrize("alpha", [0.1, 0.34781, 0.9])
def test_tokens_above_are_those_of_the_sizes_below(alpha: float) -> None:
    law = ChinchillaLaw(**{**PUBLISHED.joint.constants, "alpha": alpha})
    values = optimum_chart(FITTED, law, C, "mine", light()).values
    small, large = values["x_domain"]
    assert values["d_domain"] == pytest.approx([C / (6 * small), C / (6 * large)], rel=1e-12)
    assert small <= optimal_for_compute(law, C).N <= large


def test_a_law_of_another_form_has_its_own_two_constants() -> None:
    law = GadreLaw(E=1.7, a=120.0, b=300.0, eta=0.25)
    rng = np.random.default_rng(3)
    rows = np.array(list(law.constants.values())) * np.exp(0.02 * rng.standard_normal((150, 4)))
    fitted = Ghost(name="Gadre", law=law, replicates=rows)
    cloud = constants_chart(fitted, law, "mine", light())
    assert cloud is not None
    assert cloud.data["points"][["x", "y"]].values.tolist() == [[0.25, 1.7]]
    assert len(isoflop_chart(law, 1e21, MARKS, light(), ghosts=[fitted]).data["band"]) > 50


def test_refits_that_do_not_differ_have_no_cloud() -> None:
    rows = np.tile(FITTED.estimate, (30, 1))
    assert constants_chart(Ghost(name="Same", law=FITTED.law, replicates=rows), OWN, "mine", light()) is None


@pytest.mark.parametrize("theme", [light(), dark()], ids=["light", "dark"])
def test_the_pictures_are_valid(theme: object) -> None:
    assert isinstance(theme, type(light()))
    figures: list[Figure | None] = [
        isoflop_chart(OWN, C, MARKS, theme, ghosts=[FITTED]),
        constants_chart(FITTED, OWN, "mine", theme),
        optimum_chart(FITTED, OWN, C, "mine", theme),
    ]
    for figure in figures:
        assert figure is not None
        figure.to_dict(validate=True)
