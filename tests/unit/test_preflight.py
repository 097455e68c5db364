"""What is checked before a talk: every check has a way to be green and a way to be not, and says what was seen."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from scaling_core import examination, preflight
from scaling_core.checks import Check
from scaling_core.doctor import DEVICE_CHECKS
from scaling_core.examination import Answer, Examination, Examiner, kept
from scaling_core.lab.surroundings import Power
from scaling_core.language import speaking, t
from scaling_core.preflight import device_check, figure_checks, machine_checks, training_now, verdict
from scaling_core.preflight_browser import Browser, browser_checks, read_browser
from scaling_core.runs import place
from scaling_core.viz import warm
from scaling_core.viz.glyphs import HAN, NOBODYS, drawn
from tests.lab_helpers import calibration, register, small_plan

TOLD: dict[str, Any] = {
    "turn": "1.0", "han": True, "host": "127.0.0.1", "strangers": [], "online": True, "width": 1280, "height": 720,
    "ratio": 2, "frame_ms": 16.7, "redraw_ms": None,
}  # fmt: skip


def by_id(checks: list[Check]) -> dict[str, Check]:
    found = {check.id: check for check in checks}
    assert len(found) == len(checks)
    for check in checks:
        assert check.what
        assert check.seen.endswith((".", "…"))
    return found


def of_browser(**changes: object) -> dict[str, Check]:
    return by_id(browser_checks(read_browser({**TOLD, **changes})))


class TestTheBrowser:
    def test_a_good_one_is_green(self) -> None:
        assert {check.status for check in of_browser().values()} == {"ok"}
        assert "60 frames a second" in of_browser()["frames"].seen
        assert "takes 7 ms" in of_browser(redraw_ms=7.2)["frames"].seen

    def test_one_that_has_not_answered_is_waited_for(self) -> None:
        assert {check.status for check in browser_checks(None)} == {"waiting"}

    @pytest.mark.parametrize(
        ("changes", "id", "status", "words"),
        [
            ({"han": False}, "page-font", "failed", "install a Chinese font"),
            ({"han": "yes"}, "page-font", "failed", "boxes"),
            ({"strangers": ["fonts.example.org"]}, "offline", "failed", "fonts.example.org"),
            ({"host": "192.168.1.7"}, "offline", "warning", "192.168.1.7"),
            ({"online": False}, "offline", "ok", "no network now"),
            ({"width": 1024}, "window", "warning", "too narrow"),
            ({"height": 500}, "window", "warning", "too low"),
            ({"width": 3840, "height": 2160}, "window", "warning", "zoom in"),
            ({"frame_ms": None}, "frames", "warning", "bring the window to the front"),
            ({"frame_ms": 100.0}, "frames", "warning", "10 frames a second"),
        ],
    )
    def test_what_is_not_well_is_said(self, changes: dict[str, object], id: str, status: str, words: str) -> None:
        found = of_browser(**changes)[id]
        assert found.status == status
        assert words in found.seen

    @pytest.mark.parametrize(
        "raw",
        [
            None, "seen", [], {}, {**TOLD, "strangers": "none"}, {**TOLD, "width": "1280"}, {**TOLD, "height": None},
            {**TOLD, "ratio": float("nan")}, {**TOLD, "width": True},
        ],
    )  # fmt: skip
    def test_what_no_browser_says_is_no_answer(self, raw: object) -> None:
        assert read_browser(raw) is None

    def test_a_lying_browser_fills_no_page(self) -> None:
        seen = read_browser({**TOLD, "strangers": ["a\x00\n" + "b" * 10_000] * 1000, "width": 1e300, "host": {"x": 1}})
        assert seen is not None
        assert max(map(len, seen.strangers)) <= 80
        assert len(seen.strangers) <= 20
        for check in browser_checks(seen):
            assert len(check.seen) < 500
            assert check.seen.isprintable()


class TestFigures:
    def test_han_is_drawn_and_what_no_font_has_is_a_box(self) -> None:
        assert drawn("abc")
        assert not drawn("\U0010fff0\U0010fff1\U0010fff2")
        assert not drawn(HAN + NOBODYS)
        assert not drawn("a b")

    def test_nothing_is_drawn_before_the_converter_is_warm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def never() -> bool:
            raise AssertionError("asked too early")

        for state in ("cold", "warming"):
            monkeypatch.setattr(warm, "_state", state)
            assert {check.status for check in figure_checks(never, never)} == {"waiting"}

    @pytest.mark.parametrize(("has", "status"), [(True, "ok"), (False, "failed")])
    def test_a_missing_font_is_said(self, monkeypatch: pytest.MonkeyPatch, has: bool, status: str) -> None:
        monkeypatch.setattr(warm, "_state", "warm")
        assert by_id(figure_checks(lambda: has, str))["figure-font"].status == status

    def test_a_converter_that_breaks_is_a_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(warm, "_state", "warm")
        found = {check.id: check for check in figure_checks(lambda: 1 / 0 > 0, lambda: 1 / 0)}
        assert {check.status for check in found.values()} == {"failed"}
        assert "ZeroDivisionError" in found["figures"].seen

    def test_a_failed_or_slow_warming_is_no_green(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(warm, "_state", "failed")
        assert by_id(figure_checks(lambda: True, str))["figures"].status == "warning"
        monkeypatch.setattr(warm, "_state", "warm")
        monkeypatch.setattr(preflight, "SLOWEST_FIGURE", -1.0)
        assert "busy" in by_id(figure_checks(lambda: True, str))["figures"].seen


class TestTheMachine:
    def test_a_healthy_one(self, lab_home: Path) -> None:
        found = by_id(machine_checks(lab_home))
        assert {"disk", "memory", "power", "record", "example"} <= set(found)
        assert found["record"].status == found["example"].status == "ok"
        assert "19 runs of 2026-11-25" in found["example"].seen
        assert list(lab_home.iterdir()) == [], "looking leaves nothing behind"

    @pytest.mark.parametrize(("free", "status"), [(5e8, "failed"), (2e9, "warning"), (9e9, "ok")])
    def test_the_disk(self, lab_home: Path, monkeypatch: pytest.MonkeyPatch, free: float, status: str) -> None:
        monkeypatch.setattr(preflight, "free_bytes", lambda home: int(free))
        assert by_id(machine_checks(lab_home))["disk"].status == status

    @pytest.mark.parametrize(("available", "status"), [(1e9, "warning"), (8e9, "ok")])
    def test_the_memory(self, lab_home: Path, monkeypatch: pytest.MonkeyPatch, available: float, status: str) -> None:
        now = SimpleNamespace(available=available, total=16e9)
        monkeypatch.setattr(psutil, "virtual_memory", lambda: now)
        assert by_id(machine_checks(lab_home))["memory"].status == status

    @pytest.mark.parametrize(
        ("plugged", "percent", "status"), [(True, 3.0, "ok"), (False, 80.0, "warning"), (False, 9.0, "failed")]
    )
    def test_the_power(
        self, lab_home: Path, monkeypatch: pytest.MonkeyPatch, plugged: bool, percent: float, status: str
    ) -> None:
        monkeypatch.setattr(preflight, "power", lambda: Power(plugged=plugged, percent=percent, seconds=None))
        found = by_id(machine_checks(lab_home))["power"]
        assert found.status == status
        assert f"{percent:.0f}%" in found.seen
        monkeypatch.setattr(preflight, "power", lambda: None)
        assert by_id(machine_checks(lab_home))["power"].status == "ok"

    def test_a_record_with_ladders_and_one_that_trains(self, lab_home: Path) -> None:
        assert training_now(lab_home) is None
        plan = small_plan()
        register(lab_home, plan)
        assert "holds 1 ladder." in by_id(machine_checks(lab_home))["record"].seen
        assert training_now(lab_home) == plan.spec.id

    def test_a_record_that_another_program_holds(self, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        register(lab_home, small_plan())
        monkeypatch.setattr(preflight, "LOCK_SECONDS", 0.05)
        other = sqlite3.connect(place.database(lab_home), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        found = by_id(machine_checks(lab_home))["record"]
        other.execute("ROLLBACK")
        other.close()
        assert found.status == "failed"
        assert "locked" in found.seen

    def test_a_damaged_record(self, lab_home: Path) -> None:
        place.database(lab_home).write_bytes(b"no database" * 100)
        assert by_id(machine_checks(lab_home))["record"].status == "failed"
        assert training_now(lab_home) is None

    def test_a_home_that_is_a_file(self, lab_home: Path) -> None:
        (lab_home / "here").write_text("")
        assert by_id(machine_checks(lab_home / "here"))["record"].status == "failed"

    def test_a_missing_recording(self, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scaling_core.runs.recording.EXAMPLE", lab_home / "gone.json")
        assert by_id(machine_checks(lab_home))["example"].status == "failed"

    def test_an_unreadable_story_is_said(self, lab_home: Path) -> None:
        pytest.importorskip("scaling_core.story")
        assert by_id(machine_checks(lab_home))["story"].status == "ok"
        (lab_home / "story.json").write_text("{")
        assert by_id(machine_checks(lab_home))["story"].status == "warning"


def answers(**wrong: str) -> tuple[Answer, ...]:
    return tuple(
        Answer(name=name, ok=name not in wrong, told=wrong.get(name, f"about {name}"), seconds=0.1)
        for name in DEVICE_CHECKS
    )


class TestTheDevice:
    def test_from_nothing_known_to_all_well(self) -> None:
        assert device_check(None, None).status == "warning"
        measured = calibration()
        assert device_check(None, measured).status == "ok"
        refused = device_check(None, replace(measured, refusal="It does not train as the CPU does."))
        assert (refused.status, refused.seen) == ("failed", "It does not train as the CPU does.")
        seen = Examination(checks=answers()[:2], made_at=1.7e9, running=True)
        assert "2 of 6" in device_check(seen, measured).seen
        assert device_check(seen, measured).status == "waiting"
        well = device_check(replace(seen, checks=answers(), running=False), None)
        assert well.status == "ok"
        assert "about speed" in well.seen

    def test_one_wrong_answer_is_enough(self) -> None:
        seen = Examination(checks=answers(**{"self-test": "logits deviate"}), made_at=1.7e9)
        found = device_check(seen, calibration(), training="live-0123456789")
        assert found.status == "failed"
        assert "logits deviate" in found.seen
        assert "Replay" in found.seen

    def test_a_device_that_trains_is_not_free(self) -> None:
        seen = Examination(checks=answers(), made_at=1.7e9)
        found = device_check(seen, None, training="live-0123456789")
        assert found.status == "warning"
        assert "live-0123456789" in found.seen


def printed(name: str, ok: bool = True, detail: str = "well") -> str:
    return f"print({json.dumps(json.dumps({'name': name, 'ok': ok, 'detail': detail, 'seconds': 0.1}))}, flush=True)"


def ended(home: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Examiner, Examination]:
    """An examination by another program that stands for the process which loads torch."""
    monkeypatch.setattr(examination, "COMMAND", (sys.executable, "-c", code))
    examiner = Examiner()
    examiner.begin(home)
    until = time.monotonic() + 30
    while (seen := examiner.now(home)) is None or seen.running:
        assert time.monotonic() < until
        time.sleep(0.02)
    return examiner, seen


class TestTheExamination:
    def test_its_answers_are_kept_for_this_machine(self, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        code = "; ".join(["print('a driver chats')", *(printed(name) for name in DEVICE_CHECKS), "print('[1]')"])
        _, seen = ended(lab_home, code, monkeypatch)
        assert seen.well
        assert kept(lab_home) == seen
        assert Examiner().now(lab_home) == seen
        monkeypatch.setattr(examination, "machine", lambda: "another")
        assert kept(lab_home) is None

    def test_a_process_that_dies_owes_the_rest(self, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        code = f"import os; {printed('device')}; os.kill(os.getpid(), 9)"
        _, seen = ended(lab_home, code, monkeypatch)
        assert [one.ok for one in seen.checks] == [True, *[False] * 5]
        assert seen.wrong is not None
        assert "code -9" in seen.wrong.detail

    def test_one_that_hangs_is_ended(self, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(examination, "CHILD_SECONDS", 0.5)
        _, seen = ended(lab_home, f"import time; {printed('device')}; time.sleep(60)", monkeypatch)
        assert seen.wrong is not None
        assert "no answer within" in seen.wrong.detail

    def test_another_begins_only_when_the_first_has_ended(
        self, lab_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = tmp_path / "asked"
        code = f"import time; open({str(asked)!r}, 'a').write('x'); time.sleep(0.4)"
        monkeypatch.setattr(examination, "COMMAND", (sys.executable, "-c", code))
        examiner = Examiner()
        for _ in range(5):
            examiner.begin(lab_home)
        while (seen := examiner.now(lab_home)) is None or seen.running:
            time.sleep(0.02)
        assert asked.read_text() == "x"

    def test_a_sentence_is_told_in_the_language_of_the_reader(
        self, lab_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        packed = json.dumps({"t": "{n} s", "n": "", "of": {"n": "7"}})
        _, seen = ended(lab_home, printed("device", detail=packed), monkeypatch)
        assert seen.checks[0].detail == "7 s"
        with speaking("zh"):
            assert seen.checks[0].detail == t("{n} s", n="7") != "7 s"

    def test_a_disk_that_takes_nothing_is_said(self, lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (lab_home / "examination.json").mkdir()
        _, seen = ended(lab_home, printed("device"), monkeypatch)
        assert "examination.json cannot be written" in seen.unkept

    @pytest.mark.parametrize("content", ["", "[]", "{}", '{"machine": 1}', "\x00", '{"machine": "M", "checks": [1]}'])
    def test_a_file_that_is_none_is_passed_over(
        self, lab_home: Path, monkeypatch: pytest.MonkeyPatch, content: str
    ) -> None:
        monkeypatch.setattr(examination, "machine", lambda: "M")
        (lab_home / "examination.json").write_text(content)
        assert kept(lab_home) is None


def test_the_verdict_names_the_gravest_first() -> None:
    def checks(*states: str) -> list[Check]:
        return [Check(id=str(k), what=f"w{k}", status=state, seen=".") for k, state in enumerate(states)]  # type: ignore[arg-type]  # the four there are

    assert verdict(checks("ok", "ok"))[:2] == ("ok", "Ready.")
    assert verdict(checks("ok", "waiting"))[:2] == ("waiting", "One moment: w1.")
    assert verdict(checks("warning", "waiting"))[:2] == ("warning", "One thing is left: w0.")
    assert verdict(checks("warning", "ok", "warning"))[1] == "2 things are left: w0 and w2."
    assert verdict(checks("warning", "failed", "ok"))[:2] == ("failed", "Not ready: w1.")
    assert verdict(checks("warning", "failed", "ok"))[2] == "1 of 3 checks are green."


def test_a_browser_is_a_record() -> None:
    assert read_browser(TOLD) == Browser(
        han=True, host="127.0.0.1", strangers=(), online=True, width=1280, height=720, ratio=2.0, frame_ms=16.7,
        redraw_ms=None,
    )  # fmt: skip
