"""Parts of pages that are drawn again by themselves: what a slow machine has not yet sent may be thrown away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

import scaling_core.ui.language  # noqa: F401  # a viewer's language is followed from here on
from scaling_core.runs import results
from scaling_core.ui import lab_data
from tests.lab_helpers import register, small_plan

PAGES = Path(__file__).resolve().parents[2] / "pages"
MESSAGES: list[ForwardMsg] = []


@pytest.fixture(autouse=True)
def _listening(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keeps a copy of every message that a page sends, in their order; laws without bands, which take seconds."""
    st.cache_resource.clear()
    monkeypatch.setattr(lab_data, "LIVE_BOOTSTRAP", 0)
    monkeypatch.setattr(results, "BOOTSTRAP", 0)

    def keep(message: ForwardMsg) -> None:
        kept = ForwardMsg()
        kept.CopyFrom(message)
        MESSAGES.append(kept)

    ForwardMsgQueue.on_before_enqueue_msg(keep)
    yield
    ForwardMsgQueue.on_before_enqueue_msg(None)
    MESSAGES.clear()
    st.cache_resource.clear()


def homeless(messages: Iterable[ForwardMsg]) -> list[list[int]]:
    """Paths of what a browser could not place: beneath nothing, or beyond the next free place."""
    children: dict[tuple[int, ...], int] = {(0,): 0, (1,): 0, (2,): 0, (3,): 0}
    lost = []
    for message in messages:
        if not message.HasField("delta"):
            continue
        path = tuple(message.metadata.delta_path)
        parent, place = path[:-1], path[-1]
        if parent not in children or place > children[parent]:
            lost.append(list(path))
            continue
        children[parent] = max(children[parent], place + 1)
        if message.delta.WhichOneof("type") == "add_block":
            children.setdefault(path, 0)
    return lost


def interrupted(messages: Sequence[ForwardMsg], sent: int, part: str) -> list[ForwardMsg]:
    """What reaches the browser when `part` runs again after this many messages were sent."""
    queue = ForwardMsgQueue()
    queue._queue = list(messages[sent:])
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=[part])
    return [*messages[:sent], *queue.flush()]


def replay() -> None:
    """A replay that plays."""
    app = AppTest.from_file(str(PAGES / "lab.py"), default_timeout=60)
    app.query_params["sweep"] = "example"
    app.query_params["replay"] = "1"
    app.run()
    MESSAGES.clear()
    app.button(key="lab.replay.start").click().run()
    assert not app.exception


def training(home: Path) -> None:
    """A ladder that is being trained."""
    sweep = register(home, small_plan())
    app = AppTest.from_file(str(PAGES / "lab.py"), default_timeout=60)
    app.query_params["sweep"] = sweep
    app.run()
    assert not app.exception


@pytest.mark.parametrize("page", ["replay", "training"])
def test_the_browser_can_place_all_that_is_left_wherever_a_slow_server_is_interrupted(
    page: str, lab_home: Path
) -> None:
    if page == "replay":
        replay()
    else:
        training(lab_home)
    assert homeless(MESSAGES) == []
    clocks = [at for at, message in enumerate(MESSAGES) if message.HasField("auto_rerun")]
    assert clocks, "nothing on this page is drawn by itself"
    for clock in clocks:
        part = MESSAGES[clock].auto_rerun.fragment_id
        for sent in range(clock + 1, len(MESSAGES)):
            assert homeless(interrupted(MESSAGES, sent, part)) == [], f"interrupted after {sent} of {len(MESSAGES)}"


def parts_of(script: Path, text: str) -> set[str]:
    """The parts that a page of this text draws."""
    script.write_text(f"import streamlit as st\nfrom scaling_core.ui.watch import apart, watch\n{text}\n")
    MESSAGES.clear()
    assert not AppTest.from_file(str(script), default_timeout=60).run().exception
    return {one.delta.fragment_id for one in MESSAGES if one.HasField("delta") and one.delta.fragment_id}


@pytest.mark.parametrize("text", ["apart(st.write, 'here')", "watch(lambda: st.write('here'), every=5.0)"])
def test_no_two_pages_share_a_part(tmp_path: Path, text: str) -> None:
    first, again = parts_of(tmp_path / "one.py", text), parts_of(tmp_path / "one.py", text)
    other = parts_of(tmp_path / "other.py", text)
    assert len(first) == len(other) == 1
    assert first == again
    assert not first & other


def test_within_a_watched_part_nothing_is_a_part_of_its_own(tmp_path: Path) -> None:
    assert len(parts_of(tmp_path / "page.py", "watch(lambda: apart(st.write, 'here'), every=5.0)")) == 1
    assert len(parts_of(tmp_path / "page.py", "watch(lambda: st.write('here'), every=5.0)\napart(st.write, 1)")) == 2


def test_what_fails_within_a_watched_part_is_said_in_a_sentence(tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("from scaling_core.ui.watch import watch\nwatch(lambda: 1 / 0, every=None)\n")
    app = AppTest.from_file(str(script), default_timeout=60).run()
    assert not app.exception
    assert "was written to the log under" in app.error[0].value
