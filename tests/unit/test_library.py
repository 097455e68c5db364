"""Saved laws: what is saved comes back whole, and whatever lies in their folder ends in a law or in a sentence."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_core import library
from scaling_core.catalog import Kind, Preset, preset, presets
from scaling_core.errors import InputError, StoreError
from scaling_core.laws import AnyLaw, ChinchillaLaw, GadreLaw, KaplanJointLaw, MuennighoffLaw, PowerLaw
from scaling_core.library import (
    MOST_LAWS,
    MOST_REPLICATES,
    all_laws,
    delete_law,
    find_law,
    law_id,
    library_problems,
    save_law,
    saved_laws,
)

LAW = ChinchillaLaw(E=1.7, A=400.0, B=500.0, alpha=0.34, beta=0.3)
EVERY_FORM: list[AnyLaw] = [
    LAW,
    KaplanJointLaw(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103),
    GadreLaw(E=0.0, a=100.0, b=200.0, eta=0.25),
    MuennighoffLaw(E=1.87, A=500.0, B=1500.0, alpha=0.35, beta=0.30, R_N_star=5.0, R_D_star=15.0),
    *(PowerLaw(variable=x, scale=1e13, exponent=0.1 / 3, offset=0.5) for x in ("N", "D", "C")),
]


def save(home: Path, name: str = "My ladder", law: AnyLaw = LAW, **more: Any) -> Preset:
    return save_law(name, law, source="a fit of 40 runs", home=home, **more)


def file_of(home: Path, id: str) -> Path:
    return home / "laws" / f"{id}.json"


def replaced(home: Path, **changes: Any) -> Path:
    """A saved law whose file has other entries than it was written with."""
    path = file_of(home, save(home, replace=True).id)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


@pytest.mark.parametrize("law", EVERY_FORM, ids=lambda law: law.form)
def test_a_law_comes_back_to_the_last_bit(tmp_path: Path, law: AnyLaw) -> None:
    kind: Kind = "univariate" if isinstance(law, PowerLaw) else "joint"
    replicates = np.random.default_rng(0).uniform(0.1, 3.0, (7, len(law.constants)))
    made = save(
        tmp_path,
        law=law,
        convention="non-embedding",
        valid_N=(1e6, 1e8),
        valid_C=(1e15, 1e18),
        replicates=replicates,
        level=0.9,
        note="Twelve runs.\nOne was stopped early.",
        warning="Losses are per byte.",
    )
    (read,) = saved_laws(tmp_path, kind)
    assert read == made
    assert read.law == law
    assert read.is_of(kind)
    assert (read.valid_N, read.valid_D, read.valid_C) == ((1e6, 1e8), None, (1e15, 1e18))
    assert (read.convention, read.level, read.warning) == ("non-embedding", 0.9, "Losses are per byte.")
    assert read.replicates is not None
    assert np.array_equal(read.replicates, replicates)
    assert read.saved
    assert not read.replicates.flags.writeable
    json.dumps(read.to_dict(), allow_nan=False)
    assert read.to_dict()["replicates"] == 7


def test_asking_makes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "not there"
    assert saved_laws(home, "all") == ()
    assert library_problems(home) == ()
    assert all_laws("all", home) == presets("all")
    assert not home.exists()


def test_the_home_is_the_labs(lab_home: Path) -> None:
    made = save_law("Mine", LAW, source="a fit")
    assert file_of(lab_home, made.id).is_file()
    assert find_law("my-mine") == made
    assert [p.id for p in all_laws("joint")] == [*(p.id for p in presets("joint")), "my-mine"]
    assert os.listdir(lab_home / "laws") == ["my-mine.json"]


def test_saved_laws_follow_the_published_ones_by_age_and_kind(tmp_path: Path) -> None:
    for k, name in enumerate(("c", "a", "b")):
        path = file_of(tmp_path, save(tmp_path, name, EVERY_FORM[k]).id)
        path.write_text(json.dumps({**json.loads(path.read_text()), "made_at": f"2026-01-0{k + 1}T00:00:00+00:00"}))
    save(tmp_path, "line", EVERY_FORM[-1])
    assert [p.name for p in saved_laws(tmp_path, "joint")] == ["c", "a", "b"]
    assert [p.name for p in saved_laws(tmp_path, "univariate")] == ["line"]
    assert len(all_laws("all", tmp_path)) == len(presets("all")) + 4


def test_a_name_is_taken_once_whatever_its_case(tmp_path: Path) -> None:
    first = save(tmp_path, "My Ladder")
    for again in ("my ladder", " MY  LADDER ", "My-Ladder", unicodedata.normalize("NFD", "My Ladder")):
        with pytest.raises(InputError, match=r"a law named 'My Ladder' is saved already"):
            save(tmp_path, again)
    other = GadreLaw(E=1.0, a=1.0, b=1.0, eta=0.2)
    second = save(tmp_path, "my ladder", other, replace=True)
    assert second.id == first.id
    assert [p.law for p in saved_laws(tmp_path)] == [other]
    assert len(os.listdir(tmp_path / "laws")) == 1


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("Ladder 3", "my-ladder-3"),
        ("我的阶梯 2026", "my-我的阶梯-2026"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "my-full-width"),
        ("Caf\u00e9", "my-café"),
        ("Cafe\u0301", "my-café"),
        ("Straße", "my-strasse"),
        ("हिन्दी", "my-हिन्दी"),
        ("../../etc/passwd", "my-etc-passwd"),
        ("C:\\laws\\con", "my-c-laws-con"),
        (".hidden", "my-hidden"),
        ("hoffmann2022", "my-hoffmann2022"),
        ("my-ladder", "my-my-ladder"),
    ],
)
def test_ids_are_safe_file_names_in_any_script(tmp_path: Path, name: str, id: str) -> None:
    assert law_id(name) == id
    made = save(tmp_path, name)
    assert file_of(tmp_path, id).is_file()
    assert find_law(id, tmp_path) == made
    assert made.name == name.strip()
    assert library_problems(tmp_path) == ()
    delete_law(id, tmp_path)
    assert os.listdir(tmp_path / "laws") == []


def test_names_without_letters_and_long_names_keep_apart(tmp_path: Path) -> None:
    names = ["!!!", "???", "…", "🙂", "x" * 79, "x" * 80, "\U00020000" * 80]
    ids = [save(tmp_path, name).id for name in names]
    assert len(set(ids)) == len(ids)
    assert sorted(p.name for p in saved_laws(tmp_path)) == sorted(names)
    assert library_problems(tmp_path) == ()
    assert max(len(f".{id}.json.4194304-140000000000000.new".encode()) for id in ids) <= 255


@pytest.mark.parametrize(
    "name",
    ["", "   ", "x" * 81, "y" * 10_000, "a\x00b", "a\nb", "\x7f", "\ud800", "\u202eevil", "\u2028", None, 7, b"x"],
)
def test_names_that_cannot_be_shown_are_refused(tmp_path: Path, name: Any) -> None:
    with pytest.raises(
        InputError, match=r"^name: got .*it must be a text of up to 80 visible characters\.$"
    ) as refusal:
        save(tmp_path, name)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "laws").exists()


@settings(max_examples=200, deadline=None)
@given(name=st.text(max_size=90))
def test_any_text_is_a_safe_id_or_one_sentence(name: str) -> None:
    try:
        id = law_id(name)
    except InputError as error:
        id = str(error)
    if id.startswith("name: got "):
        assert "\n" not in id
        return
    assert id.startswith("my-")
    assert len(id) > 3
    assert id == unicodedata.normalize("NFKC", id)
    assert not set(id) & set('/\\\0.:*?"<>| \n')
    assert len(f"{id}.json".encode()) <= 220
    assert library._is_ours(Path("nowhere"), f"{id}.json", {f"{id}.json"})


def test_no_published_law_has_the_id_of_a_saved_one() -> None:
    assert not any(p.id.startswith(library.PREFIX) for p in presets("all"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": ""},
        {"source": "x" * 501},
        {"note": "x" * 2001},
        {"note": "\x1b[31m"},
        {"warning": ""},
        {"convention": "all of them"},
        {"valid_N": (1e9, 1e6)},
        {"valid_D": (0.0, 1e9)},
        {"valid_C": (1.0, float("inf"))},
        {"level": 95.0},
        {"replicates": np.ones((3, 4))},
        {"replicates": np.ones(5)},
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(wrong))}: got "):
        save_law("Mine", LAW, **{"source": "a fit", **wrong}, home=tmp_path)
    assert not (tmp_path / "laws").exists()


def test_replicates_are_thinned_evenly_and_the_unusable_left_out(tmp_path: Path) -> None:
    rows = np.tile(np.arange(4000.0)[:, None], 5) + 1
    made = save(tmp_path, replicates=rows)
    assert made.replicates is not None
    assert made.replicates.shape == (MOST_REPLICATES, 5)
    assert (made.replicates[0, 0], made.replicates[-1, 0]) == (1, 4000)
    assert np.abs(np.diff(made.replicates[:, 0]) - 3999 / 499).max() <= 1
    rows[0, 1], rows[1, 0], rows[2, 4] = np.nan, np.inf, -1.0
    few = save(tmp_path, "few", replicates=rows[:5]).replicates
    assert few is not None
    assert few[:, 0].tolist() == [4, 5]
    assert save(tmp_path, "none", replicates=rows[:3]).replicates is None
    assert file_of(tmp_path, "my-my-ladder").stat().st_size < library.MOST_BYTES / 4


def test_finding_and_deleting_what_is_not_there(tmp_path: Path) -> None:
    save(tmp_path)
    with pytest.raises(InputError, match=r"^law: got 'mine', but it must be one of hoffmann2022, .*my-my-ladder\.$"):
        find_law("mine", tmp_path)
    with pytest.raises(InputError, match=r"one of the saved laws \(my-my-ladder\)"):
        delete_law("hoffmann2022", tmp_path)
    for hostile in ("../laws/my-my-ladder", "my-my-ladder.json", "", "my-\0"):
        with pytest.raises(InputError, match=r"^law: got "):
            delete_law(hostile, tmp_path)
    assert find_law("hoffmann2022", tmp_path) is preset("hoffmann2022")
    delete_law("my-my-ladder", tmp_path)
    with pytest.raises(InputError, match=r"\(there are none\)"):
        delete_law("my-my-ladder", tmp_path)


def test_a_file_torn_at_any_byte_is_a_sentence(tmp_path: Path) -> None:
    path = file_of(tmp_path, save(tmp_path, "阶梯", replicates=np.ones((3, 5))).id)
    save(tmp_path, "Whole")
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        assert [p.name for p in saved_laws(tmp_path)] == ["Whole"]
        (problem,) = library_problems(tmp_path)
        assert problem.startswith("my-阶梯.json among the saved laws cannot be read: it is no ")
    path.write_bytes(whole)
    assert len(saved_laws(tmp_path)) == 2


GARBAGE: dict[str, bytes] = {
    "empty": b"",
    "binary": bytes(range(256)),
    "list": b"[1, 2]",
    "number": b"7",
    "null": b"null",
    "deep": b"[" * 100_000,
    "long number": b'{"schema": "scaling-lab-law-1", "x": ' + b"9" * 10_000 + b"}",
    "another schema": b'{"schema": "scaling-lab-law-2"}',
    "schema alone": b'{"schema": "scaling-lab-law-1"}',
    "huge": b" " * (library.MOST_BYTES + 1),
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_is_passed_over_with_a_sentence(tmp_path: Path, what: str) -> None:
    save(tmp_path)
    file_of(tmp_path, "my-garbage").write_bytes(GARBAGE[what])
    assert [p.id for p in saved_laws(tmp_path, "all")] == ["my-my-ladder"]
    (problem,) = library_problems(tmp_path)
    assert problem.startswith("my-garbage.json among the saved laws cannot be read: it ")
    assert problem.endswith(".")
    assert "\n" not in problem
    assert len(problem) < 300


@pytest.mark.parametrize(
    "changes",
    [
        {"form": "cubic"},
        {"form": ["chinchilla"]},
        {"constants": None},
        {"constants": []},
        {"constants": {"E": 1.0}},
        {"constants": {**LAW.constants, "A": "400"}},
        {"constants": {**LAW.constants, "A": True}},
        {"constants": {**LAW.constants, "A": -1}},
        {"constants": {**LAW.constants, "A": 10**400}},
        {"constants": {**LAW.constants, "A": float("nan")}},
        {"constants": {**LAW.constants, "A": float("inf")}},
        {"constants": {**LAW.constants, "alpha": 99}},
        {"constants": {**LAW.constants, "self": 1.0}},
        {"name": None},
        {"name": ""},
        {"name": "a\x00"},
        {"name": "x" * 10_000},
        {"source": 7},
        {"note": None},
        {"warning": ["x"]},
        {"convention": "other"},
        {"convention": {}},
        {"valid_N": 7},
        {"valid_N": [1, 2, 3]},
        {"valid_N": [2, 1]},
        {"valid_D": [0, 1]},
        {"valid_C": ["1", "2"]},
        {"made_at": "yesterday"},
        {"made_at": None},
        {"level": "high"},
        {"level": 2},
        {"replicates": {}},
        {"replicates": [1, 2]},
        {"replicates": [[1, 2]]},
        {"replicates": [["1"] * 5]},
        {"replicates": [[-1.0] * 5]},
        {"replicates": [[1.0] * 5] * (MOST_REPLICATES + 1)},
    ],
    ids=str,
)
def test_a_record_that_cannot_be_meant_is_passed_over_with_a_sentence(tmp_path: Path, changes: dict[str, Any]) -> None:
    replaced(tmp_path, **changes)
    assert saved_laws(tmp_path, "all") == ()
    (problem,) = library_problems(tmp_path)
    assert problem.startswith("my-my-ladder.json among the saved laws cannot be read: ")
    assert "\n" not in problem
    assert len(problem) < 400


@settings(max_examples=150, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=8,
    ),
    field=st.sampled_from(["name", "form", "constants", "source", "convention", "valid_N", "made_at", "replicates"]),
)
def test_any_entry_ends_in_a_law_or_in_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, field: str, value: object
) -> None:
    home = tmp_path_factory.mktemp("home")
    replaced(home, **{field: value})
    assert len(saved_laws(home, "all")) + len(library_problems(home)) == 1


def test_strangers_in_the_folder_are_named_once_and_left_alone(tmp_path: Path) -> None:
    save(tmp_path)
    laws = tmp_path / "laws"
    for name in ("README.md", "notes.json", "my-.json.bak", "my-a b.json", ".DS_Store", ".my-x.json.1-2.new"):
        (laws / name).write_text("x")
    if sys.platform != "darwin":  # whose disks hold no such names
        (laws / os.fsdecode(b"my-\xff.json")).write_text("x")
        (laws / unicodedata.normalize("NFD", "my-é.json")).write_text("x")
    before = sorted(os.listdir(laws))
    assert len(saved_laws(tmp_path)) == 1
    (problem,) = library_problems(tmp_path)
    assert problem == "Not read, since no saved law has such a name: README.md, my-.json.bak, my-a b.json and others."
    assert sorted(os.listdir(laws)) == before


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    save(tmp_path)
    laws = tmp_path / "laws"
    (laws / "my-folder.json").mkdir()
    (laws / "my-gone.json").symlink_to(tmp_path / "nothing")
    (laws / "my-endless.json").symlink_to("/dev/zero")
    os.mkfifo(laws / "my-pipe.json")
    assert [p.id for p in saved_laws(tmp_path)] == ["my-my-ladder"]
    problems = library_problems(tmp_path)
    assert len(problems) == 4
    assert all("cannot be read: " in problem for problem in problems)


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "laws").write_text("not a folder")
    assert saved_laws(tmp_path, "all") == ()
    assert all_laws("joint", tmp_path) == presets("joint")
    (problem,) = library_problems(tmp_path)
    assert "is no folder that can be opened" in problem
    with pytest.raises(StoreError, match="cannot be made"):
        save(tmp_path)
    assert (tmp_path / "laws").read_text() == "not a folder"


def test_a_disk_that_takes_nothing_leaves_the_old_law_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests may run as root, whom no rights stop: the disk refuses at the last step instead."""
    old = save(tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(StoreError, match="No space left on device"):
        save(tmp_path, law=EVERY_FORM[2], replace=True)
    monkeypatch.undo()
    assert saved_laws(tmp_path) == (old,)
    assert os.listdir(tmp_path / "laws") == ["my-my-ladder.json"]
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StoreError, match="cannot be deleted"):
        delete_law(old.id, tmp_path)


def test_a_folder_full_of_laws_is_read_in_part_and_takes_no_more(tmp_path: Path) -> None:
    text = file_of(tmp_path, save(tmp_path, "zzz").id).read_text()
    for k in range(MOST_LAWS):
        file_of(tmp_path, f"my-{k:04d}").write_text(text)
    assert len(saved_laws(tmp_path)) == MOST_LAWS
    (problem,) = library_problems(tmp_path)
    assert problem == f"Only the first {MOST_LAWS} of {MOST_LAWS + 1} saved laws are read; delete some."
    with pytest.raises(InputError, match=f"{MOST_LAWS} laws are saved already; delete one first"):
        save(tmp_path, "One more")


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    path = replaced(tmp_path, name="First")
    assert [p.name for p in saved_laws(tmp_path)] == ["First"]
    record = {**json.loads(path.read_text()), "name": "Other"}  # as long as the first name
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(record))
    os.utime(beside, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    beside.replace(path)
    assert [p.name for p in saved_laws(tmp_path)] == ["Other"]
