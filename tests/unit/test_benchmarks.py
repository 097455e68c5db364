"""The benchmark of fits runs from one command at its smallest, and its own arithmetic is right."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import fit, worker
from benchmarks.problems import besiroglu, planted, summed_huber, summed_squares
from scaling_core.errors import InputError
from scaling_core.fit import RunPoints, fit_law

LEAST = (
    "--problem",
    "planted",
    "--starts",
    "6",
    "--bootstrap",
    "40",
    "--rounds",
    "1",
    "--repeats",
    "2",
    "--cores",
    "1",
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for a checkout of vpnls that gives the planted constants for whatever it is asked."""
    folder = tmp_path_factory.mktemp("a checkout")
    package = folder / "src" / "vpnls"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "api.py").write_text(
        "from types import SimpleNamespace\n"
        "def huber(delta):\n"
        "    return delta\n"
        "def fit_vpnls(N, D, L, **options):\n"
        "    assert N.max() < 1e5 and D.max() < 1e3 and options['resolution'] in (0.01, 0.001)\n"
        "    print('a peer that prints')\n"
        "    A, B = 482.006 * 1e6**-0.34781, 2085.43 * 1e9**-0.36585\n"
        "    return SimpleNamespace(E=1.81686, A=A, B=B, alpha=0.34781, beta=0.36585)\n"
    )
    return folder


def test_it_prints_a_ratio_for_every_peer_that_is_there(project: Path, checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(project / "benchmarks" / "fit.py"), *LEAST, "--vpnls", str(checkout)],
        cwd=project.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ours on one processor: exact fit " in done.stdout
    ratios = re.findall(r"^(.*): ratio ([\d.e+]+) \(", done.stdout, flags=re.M)
    labels = [label for label, _ in ratios if not label.startswith("chinchilla")]
    assert labels == ["SciPy, published grid", "vpnls, grid 0.01", "vpnls, grid 0.001", "vpnls, least squares"]
    assert all(float(ratio) > 0 for _, ratio in ratios)
    assert "extrapolated: 4,000 times one fit, not measured" in done.stdout
    assert "chinchilla: not installed: pip install chinchilla" in done.stdout or len(ratios) > len(labels)


def test_it_gives_json_whose_figures_fit_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert fit.main([*LEAST, "--peers", "scipy", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (row,), (ours,) = found["peers"], found["ours"]
    points = planted().points
    assert row["starts"] == 6
    assert row["ratio"] == pytest.approx(row["seconds"] / row["ours_seconds"])
    assert row["ours_objective"] == pytest.approx(fit_law(points).value, rel=1e-9)
    assert row["objective"] >= row["ours_objective"] * (1 - 1e-9)
    assert ours["checked"] == 40
    assert abs(ours["largest_excess"]) < 1e-6, "a replicate is not at the optimum of its own draw"
    assert ours["warnings"] == []
    assert found["missing"] == {}
    assert found["machine"]["processors"] >= 1


@pytest.mark.parametrize(
    "words", [("--cores", "0"), ("--cores", "two"), ("--peers", "excel"), ("--starts", "0"), ("--data", "no-such.csv")]
)
def test_bad_words_exit_2_with_a_sentence(capsys: pytest.CaptureFixture[str], words: tuple[str, str]) -> None:
    try:
        status = fit.main(list(words))
    except SystemExit as stopped:
        status = int(stopped.code or 0)
    assert status == 2
    assert words[0].removeprefix("--") in capsys.readouterr().err


def test_objectives_by_hand() -> None:
    points = RunPoints.of(N=[1e8, 1e8], D=[1e9, 1e9], loss=[3.0, 3.0 * np.exp(0.5e-3)])
    constants = {"E": 1.0, "A": 1e8, "B": 1e9, "alpha": 1.0, "beta": 1.0}  # 1 + 1 + 1
    assert summed_huber(constants, points) == pytest.approx(0.5 * 0.5e-3**2, rel=1e-9)
    wrong = {**constants, "E": 3 * np.exp(0.1) - 2}
    assert summed_huber(wrong, points) == pytest.approx(1e-3 * (0.1 - 0.5e-3) + 1e-3 * (0.0995 - 0.5e-3), rel=1e-9)
    assert summed_huber(wrong, points, np.array([2.0, 0.0])) == pytest.approx(2e-3 * (0.1 - 0.5e-3), rel=1e-9)
    assert summed_squares(constants, points) == pytest.approx((3 * np.expm1(0.5e-3)) ** 2, rel=1e-9)


def test_the_published_grid_and_objective() -> None:
    """Hoffmann et al. 2022, appendix D.2: 5 x 5 exponents, 5 e, 6 x 6 a and b; the objective as in problems.py."""
    whole = worker.chosen_starts(10**6, 0, 1)
    assert whole.shape == (4500, 5)
    assert [sorted(set(column)) for column in whole.T.tolist()] == [
        *([0, 5, 10, 15, 20, 25],) * 2,
        [-1, -0.5, 0, 0.5, 1],
        *([0, 0.5, 1, 1.5, 2],) * 2,
    ]
    parts = np.concatenate([worker.chosen_starts(90, part, 4) for part in range(4)])
    assert len(np.unique(parts, axis=0)) == len(parts) == 90
    points = planted().points
    x = np.array([6.0, 7.5, 0.6, 0.34, 0.37])
    constants = dict(zip(worker.NAMES, (np.exp(0.6), np.exp(6.0), np.exp(7.5), 0.34, 0.37), strict=True))
    there = worker.published(x, np.log(points.N), np.log(points.D), np.log(points.loss))
    assert there == pytest.approx(summed_huber(constants, points), rel=1e-12)


def test_a_file_that_is_another_is_refused(tmp_path: Path) -> None:
    for text, part in (("N,D,loss\n1,2,3\n", "it has no column"), ("", "more than 5 whole rows")):
        path = tmp_path / "points.csv"
        path.write_text(text)
        with pytest.raises(InputError, match=part):
            besiroglu(path)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0123, "12.3 ms"), (2.0, "2 s"), (1200.0, "20 min"), (4e5, "4.63 days")]
)
def test_times_in_words(seconds: float, text: str) -> None:
    assert fit.duration(seconds) == text
