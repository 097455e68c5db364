"""The command line: what it prints, and that every bad input ends in one sentence and exit status 2."""

from __future__ import annotations

import json
import resource
import struct
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from scaling_core import __version__
from scaling_core.catalog import DATA, preset, presets
from scaling_core.demo import DemoSpec, run_demo, to_json
from scaling_core.laws import ChinchillaLaw, MuennighoffLaw
from scaling_core.optimum import optimal_for_compute
from tests.cli_helpers import Capture, answer, call, refusal


@pytest.mark.usefixtures("lab_home")
def test_laws(capsys: Capture) -> None:
    rows = answer(capsys, "laws")
    assert [row["id"] for row in rows] == [p.id for p in presets("all")]
    for row in rows:
        assert {"id", "form", "constants", "source", "valid_range", "note"} <= set(row)
    assert rows[1]["constants"] == {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    assert [row["id"] for row in answer(capsys, "laws", "--kind", "joint")] == [p.id for p in presets()]
    status, out, err = call(capsys, "laws")
    assert status == 0
    assert "besiroglu2024" in out
    assert "talk-slides: " in err


def test_predict(capsys: Capture) -> None:
    row = answer(capsys, "predict", "--law", "hoffmann2022", "--params", "70B", "--tokens", "1.4T")
    assert row["loss"] == preset("hoffmann2022").joint.loss(70e9, 1.4e12)
    assert row["flops"] == pytest.approx(5.88e23)
    assert sum(row["terms"].values()) == pytest.approx(row["loss"], rel=1e-14)
    assert len(row["notes"]) == 2
    status, out, err = call(capsys, "predict", "--law", "hoffmann2022", "--params", "70B", "--tokens", "1.4T")
    assert status == 0
    assert "1.921 nats per token" in out
    assert "70B parameters lie 4.38 times above" in err


def test_predict_with_a_law_in_one_variable(capsys: Capture) -> None:
    row = answer(capsys, "predict", "--law", "kaplan2020-n", "--params", "5M")
    assert row["loss"] == pytest.approx(3.554, abs=5e-4)
    assert row["flops"] is None
    assert row["tokens"] is None
    assert row["convention"] == "non-embedding"
    assert answer(capsys, "predict", "--law", "kaplan2020-c", "--compute", "1e21")["flops"] == 1e21
    assert answer(capsys, "predict", "--law", "kaplan2020-d", "--tokens", "1B")["terms"]["E"] == 0.0


def test_optimal_every_way(capsys: Capture) -> None:
    best = optimal_for_compute(preset("besiroglu2024").joint, 5.76e23)
    for option, value in (
        ("--compute", "5.76e23 FLOP"),
        ("--params", repr(best.N)),
        ("--tokens", repr(best.D)),
        ("--loss", repr(best.loss)),
    ):
        row = answer(capsys, "optimal", "--law", "besiroglu2024", option, value)
        assert row["params"] == pytest.approx(best.N, rel=1e-9)
        assert row["tokens"] == pytest.approx(best.D, rel=1e-9)
        assert row["compute"] == pytest.approx(5.76e23, rel=1e-9)
        assert row["loss"] == pytest.approx(best.loss, rel=1e-12)
        assert row["tokens_per_param"] == pytest.approx(best.D / best.N, rel=1e-9)
    status, out, _ = call(capsys, "optimal", "--law", "besiroglu2024", "--compute", "5.76e23")
    assert status == 0
    assert "72.4B" in out


def test_optimal_shows_kaplans_own_allocation_beside_the_law(capsys: Capture) -> None:
    row = answer(capsys, "optimal", "--law", "kaplan2020-joint", "--compute", "8.64e19")
    assert row["published_allocation"] == {"params": pytest.approx(1.3e9), "tokens": pytest.approx(2e10)}
    assert any("does not follow from this law" in note for note in row["notes"])
    assert answer(capsys, "optimal", "--law", "hoffmann2022", "--compute", "1e20")["published_allocation"] is None


def test_warned_presets_say_so(capsys: Capture) -> None:
    row = answer(capsys, "predict", "--law", "talk-slides", "--params", "1.8T", "--tokens", "13T")
    assert row["loss"] == pytest.approx(60.81, abs=0.005)
    assert "cannot describe a language model" in row["notes"][0]


PREDICT = ("predict", "--law", "hoffmann2022")
OPTIMAL = ("optimal", "--law", "hoffmann2022")


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf", "-70B", "0", "", "seventy", "1e41", "1e999", "70B70", "0.5"])
@pytest.mark.parametrize("option", ["--params", "--tokens"])
def test_bad_numbers_name_the_field_and_the_value(capsys: Capture, option: str, bad: str) -> None:
    other = "--tokens" if option == "--params" else "--params"
    said = refusal(capsys, *PREDICT, option, bad, other, "1B")
    assert said.startswith(f"{option[2:]}: got {bad!r}, but it must be a number from 1 to 1e40")


@pytest.mark.parametrize("option", ["--compute", "--params", "--tokens", "--loss"])
@pytest.mark.parametrize("bad", ["nan", "-1", "inf", "x", "0"])
def test_bad_targets_name_the_field(capsys: Capture, option: str, bad: str) -> None:
    assert refusal(capsys, *OPTIMAL, option, bad).startswith(f"{option[2:]}: got {bad!r}, but it must be a ")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("frobnicate",), "invalid choice: 'frobnicate'"),
        (("laws", "--loud"), "unrecognized arguments: --loud"),
        (("laws", "--kind", "some"), "invalid choice: 'some'"),
        (("predict", "--params", "1B", "--tokens", "1B"), "the following arguments are required: --law"),
        (
            ("predict", "--law", "chinchilla", "--params", "1B", "--tokens", "1B"),
            "law: got 'chinchilla', but it must be",
        ),
        (PREDICT, "params: got nothing, but the law hoffmann2022 needs --params"),
        ((*PREDICT, "--params", "1B"), "tokens: got nothing"),
        ((*PREDICT, "--params"), "argument --params: expected one argument"),
        ((*PREDICT, "--params", "1B", "--tokens", "1B", "--compute", "1e20"), "compute: got '1e20', but the law"),
        (("predict", "--law", "kaplan2020-n", "--params", "1B", "--tokens", "1B"), "tokens: got '1B', but the law"),
        (OPTIMAL, "one of the arguments --compute --params --tokens --loss is required"),
        ((*OPTIMAL, "--compute", "1e20", "--loss", "2"), "not allowed with argument"),
        ((*OPTIMAL, "--loss", "1.5"), "loss: got 1.5, but that is impossible: under this law no model"),
        ((*OPTIMAL, "--compute", "7"), "less than one parameter or token"),
        (("optimal", "--law", "kaplan2020-n", "--loss", "2"), "law: got 'kaplan2020-n', but it is a law in N alone"),
        (("fit",), "the following arguments are required: FILE.csv"),
        (("fit", "no-such-file.csv"), "file: got 'no-such-file.csv', but it could not be read"),
        (("fit", "x.csv", "--approach", "guess"), "invalid choice: 'guess'"),
        (("fit", "x.csv", "--approach", "isoflop", "--delta", "1e-2"), "delta: got '1e-2', but it belongs to"),
        (("fit", "x.csv", "--method", "profile"), "method: got 'profile', but it belongs to --approach isoflop"),
        (("fit", "x.csv", "--base", "muennighoff2023"), "base: got 'muennighoff2023', but it belongs to --form"),
        (("fit", "x.csv", "--fix", "E"), "fix: got 'E', but it must be NAME=VALUE"),
        (("fit", "x.csv", "--delta", "0"), "delta: got '0'"),
        (("fit", "x.csv", "--bootstrap", "-1"), "bootstrap: got '-1', but it must be a whole number from 0 to 100000"),
        (("fit", "x.csv", "--seed", "1.5"), "seed: got '1.5'"),
        (("demo",), "the following arguments are required: --out"),
    ],
)
def test_bad_commands_end_in_one_sentence(capsys: Capture, words: tuple[str, ...], part: str) -> None:
    assert part in refusal(capsys, *words)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--seed", "x"), "seed: got 'x'"),
        (("--noise", "-inf"), "noise: got '-inf', but it must be a number from 0 to 0.5"),
        (("--sizes", "1"), "sizes: got '1', but it must be a whole number from 2 to 40"),
        (("--horizons", "1000"), "horizons: got '1000'"),
        (("--params-low", "nan"), "params-low: got 'nan'"),
        (("--tokens-high", "1K"), "largest horizon: got '1K', but it must be at least twice the smallest horizon"),
        (("--law", "kaplan2020-d"), "law: got 'kaplan2020-d', but it is a law in D alone"),
        (("--bootstrap", "1e9"), "bootstrap: got '1e9'"),
        (("--theme", "pink"), "invalid choice: 'pink'"),
    ],
)
def test_bad_demos_leave_nothing_behind(capsys: Capture, tmp_path: Path, words: tuple[str, ...], part: str) -> None:
    out = tmp_path / "out"
    assert part in refusal(capsys, "demo", "--out", str(out), *words)
    assert not out.exists()


def test_an_output_that_is_no_folder_is_refused(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    for path in (file, file / "below"):
        said = refusal(capsys, "demo", "--out", str(path))
        assert said.startswith(f"out: got '{path}'"[:60])
        assert "folder" in said
    assert file.read_text() == "mine"
    assert "out: got " in refusal(capsys, "demo", "--out", "a\x00b")


@pytest.fixture
def runs_csv(tmp_path: Path) -> Path:
    """Thirty exact runs of a known law."""
    law = ChinchillaLaw(E=1.7, A=400.0, B=500.0, alpha=0.34, beta=0.3)
    path = tmp_path / "my runs.csv"
    rows = [f"{n},{d},{law.loss(n, d)!r}" for n in np.geomspace(1e7, 1e9, 6) for d in np.geomspace(1e9, 1e11, 5)]
    path.write_text("params,tokens,loss\n" + "\n".join(rows) + "\n")
    return path


def test_fit(capsys: Capture, runs_csv: Path) -> None:
    row = answer(capsys, "fit", str(runs_csv), "--bootstrap", "20", "--seed", "1")
    expected = {"E": 1.7, "A": 400.0, "B": 500.0, "alpha": 0.34, "beta": 0.3}
    assert row["constants"] == pytest.approx(expected, rel=1e-6)
    assert row["n"] == 30
    assert set(row["intervals"]) == set(expected)
    assert row["exponents"]["a"] == pytest.approx(0.3 / 0.64, rel=1e-6)
    assert set(row["seconds"]) == {"fit", "bootstrap"}
    assert isinstance(row["warnings"], list)
    assert row["objective"] >= 0.0
    assert row["approach"] == "parametric"
    status, out, _ = call(capsys, "fit", str(runs_csv), "--bootstrap", "0", "--form", "chinchilla")
    assert status == 0
    assert "30 runs, huber-log" in out


@pytest.mark.parametrize("objective", ["lad", "ls-log", "ls"])
def test_fit_by_other_objectives(capsys: Capture, runs_csv: Path, objective: str) -> None:
    row = answer(capsys, "fit", str(runs_csv), "--bootstrap", "0", "--objective", objective)
    assert row["constants"]["alpha"] == pytest.approx(0.34, rel=1e-3)
    assert row["intervals"] == {}


def test_fit_refuses(capsys: Capture, runs_csv: Path, tmp_path: Path) -> None:
    assert "form: got 'cubic'" in refusal(capsys, "fit", str(runs_csv), "--form", "cubic")
    assert "objective: got 'l2'" in refusal(capsys, "fit", str(runs_csv), "--objective", "l2")
    assert "file: got" in refusal(capsys, "fit", str(tmp_path))
    few = tmp_path / "few.csv"
    few.write_text("params,tokens,loss\n1e8,1e9,3\n1e9,1e10,2.5\n1e9,1e9,2.8\n")
    refusal(capsys, "fit", str(few))
    few.write_text("params,tokens,loss\n1e8,1e9,3\n1e9,oops,2.5\n")
    assert "line 3" in refusal(capsys, "fit", str(few))


def test_fit_with_a_constant_held_is_validated_and_saved(capsys: Capture, runs_csv: Path, lab_home: Path) -> None:
    words = ("fit", str(runs_csv), "--bootstrap", "20", "--fix", "E=1.7", "--validate", "--save", "Mine")
    row = answer(capsys, *words)
    assert row["constants"]["E"] == 1.7
    assert row["fixed"] == {"E": 1.7}
    assert row["validation"]["leave_one_out"]["runs"] == 30
    assert row["validation"]["leave_one_out"]["worst"] < 1e-6
    best = answer(capsys, "optimal", "--law", row["saved"], "--compute", "1e22")
    law = ChinchillaLaw(E=1.7, A=400.0, B=500.0, alpha=0.34, beta=0.3)
    assert best["params"] == pytest.approx(optimal_for_compute(law, 1e22).N, rel=1e-5)
    assert "saved already" in refusal(capsys, *words)
    status, out, _ = call(capsys, "fit", str(runs_csv), "--bootstrap", "0", "--validate")
    assert status == 0
    assert "10x beyond the runs fitted" in out


@pytest.mark.parametrize("method", ["profile", "parabola"])
def test_fit_by_isoflop_profiles(capsys: Capture, tmp_path: Path, method: str) -> None:
    law = ChinchillaLaw(E=1.7, A=400.0, B=500.0, alpha=0.34, beta=0.3)
    path = tmp_path / "isoflop.csv"
    rows = [
        f"{n},{c / 6 / n},{c},{law.loss(n, c / 6 / n)!r}"
        for c in (1e18, 1e19, 1e20, 1e21)
        for n in optimal_for_compute(law, c).N * np.geomspace(0.3, 3, 7)
    ]
    path.write_text("N,D,C,loss\n" + "\n".join(rows) + "\n")
    row = answer(capsys, "fit", str(path), "--approach", "isoflop", "--method", method, "--bootstrap", "20")
    assert row["approach"] == "isoflop"
    assert row["exponents"]["a"] == pytest.approx(0.3 / 0.64, rel=1e-3 if method == "profile" else 0.02)


def test_fit_by_the_envelope_of_training_curves(capsys: Capture, tmp_path: Path) -> None:
    law = ChinchillaLaw(E=1.7, A=400.0, B=500.0, alpha=0.34, beta=0.3)
    path = tmp_path / "curves.csv"
    rows = [
        f"{n},{d},{law.loss(n, d)!r},run {n:.0f}"
        for n in np.geomspace(1e7, 1e9, 25)
        for d in n * np.geomspace(1.0, 60.0, 80)
    ]
    path.write_text("N,D,loss,run\n" + "\n".join(rows) + "\n")
    row = answer(capsys, "fit", str(path), "--approach", "envelope", "--bootstrap", "20")
    assert row["exponents"]["a"] == pytest.approx(0.3 / 0.64, abs=0.03)


def test_fit_of_repeated_data(capsys: Capture, tmp_path: Path) -> None:
    """R_D* and R_N* of a planted law, with its base held by id and with every constant free."""
    law = preset("muennighoff2023").law
    assert isinstance(law, MuennighoffLaw)
    path = tmp_path / "repeated.csv"
    rows = [
        f"{n},{u * epochs},{u},{law.loss(n, u * epochs, u)!r}"
        for n in (1e8, 5e8, 2e9, 8e9)
        for u in (1e9, 4e9, 1.6e10)
        for epochs in (1.0, 2.0, 5.0, 15.0, 40.0)
    ]
    path.write_text("params,tokens,unique_tokens,loss\n" + "\n".join(rows) + "\n")
    words = ("fit", str(path), "--form", "muennighoff", "--bootstrap", "0")
    for row in (answer(capsys, *words), answer(capsys, *words, "--base", "muennighoff2023")):
        assert row["constants"]["R_D_star"] == pytest.approx(law.R_D_star, rel=1e-5)
        assert row["constants"]["R_N_star"] == pytest.approx(law.R_N_star, rel=1e-5)
        assert row["repeated"] == 48
    assert "Chinchilla form" in refusal(capsys, *words, "--base", "kaplan2020-joint")
    assert "save: got" in refusal(capsys, *words, "--save", "x")


@pytest.mark.slow
def test_demo_writes_its_files_in_time(tmp_path: Path) -> None:
    """Ten seconds, counted as processor time: what the clock shows on a machine that does nothing else."""
    out = tmp_path / "a new folder"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run("-m", "scaling_core", "demo", "--seed", "0", "--out", str(out), "--json")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode == 0, done.stderr
    figures = ("scaling_laws_with_theory", "chinchilla_optimal_scaling")
    names = ["results.json", *(f"{name}.{kind}" for name in figures for kind in ("png", "svg"))]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert [Path(path).name for path in json.loads(done.stdout)["files"]] == names
    assert (out / "results.json").read_text() == to_json(run_demo(DemoSpec.of_preset()))
    for name in figures:
        width, height = struct.unpack(">II", (out / f"{name}.png").read_bytes()[16:24])
        assert width >= 2000
        assert height >= 1000
        svg = ElementTree.parse(out / f"{name}.svg").getroot()
        texts = " ".join(" ".join(node.itertext()) for node in svg.iter("{http://www.w3.org/2000/svg}text"))
        assert "GPT-3" in texts
        assert "NaN" not in texts
    assert seconds < 10.0


def test_version_and_help(capsys: Capture) -> None:
    assert call(capsys, "--version")[:2] == (0, f"scaling-lab {__version__}\n")
    status, out, _ = call(capsys, "--help")
    assert status == 0
    for command in ("laws", "predict", "optimal", "fit", "demo", "lab", "doctor"):
        assert f"    {command} " in out


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd=DATA.parent, timeout=60
    )


def test_as_a_program() -> None:
    done = run("-m", "scaling_core", "predict", "--law", "nobody", "--params", "1B", "--tokens", "1B", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("law: got 'nobody', but it must be one of hoffmann2022")
    assert json.loads(run("-m", "scaling_core", "laws", "--json").stdout)[0]["id"] == "hoffmann2022"


def test_arithmetic_waits_for_no_heavy_library() -> None:
    code = (
        "import sys; from scaling_core.cli import main; "
        "main(['optimal', '--law', 'hoffmann2022', '--compute', '1e23', '--json']); "
        "main(['laws', '--json']); "
        "heavy = {'scipy', 'torch', 'pandas', 'altair', 'streamlit', 'vl_convert'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr


def test_a_closed_pipe_is_no_traceback() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "scaling_core", "laws", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=DATA.parent,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1
