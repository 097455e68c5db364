"""What a viewer's replay of a ladder remembers: which ladder, where it is, how fast, and whether it goes on.

The address says `replay=SPEED` while one is shown, so a link opens it, at rest at its beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from scaling_core.language import t
from scaling_core.runs.replay import SPEEDS, Player, Speed, Tape

PARAMETER = "replay"
_STATE = "lab.replay"
DEFAULT: Speed = "end"
Change = Callable[[Player, float], Player]


def replaying() -> bool:
    """Whether the address asks for a replay."""
    return PARAMETER in st.query_params


def replay_button(*, strong: bool = False) -> None:
    """The button that opens the replay of the ladder that is shown."""
    words = t("Watch it again at any speed, as it was measured.")
    if st.button(t("Replay"), key="lab.replay.open", type="primary" if strong else "secondary", help=words):
        st.session_state.pop(_STATE, None)
        st.query_params[PARAMETER] = DEFAULT
        st.rerun()


def close_replay() -> None:
    """Back to what came of the ladder."""
    st.session_state.pop(_STATE, None)
    if PARAMETER in st.query_params:
        del st.query_params[PARAMETER]


def player_of(shown: str, tape: Tape) -> Player:
    """Where this viewer's replay of a ladder is now; at rest at the beginning at first."""
    kept = st.session_state.get(_STATE)
    if isinstance(kept, tuple) and kept[0] == (shown, tape.length):
        player: Player = kept[1].seen(time.monotonic())
    else:
        asked = st.query_params.get(PARAMETER)
        player = Player(length=tape.length, speed=asked if asked in SPEEDS else DEFAULT)
    _keep(shown, player)
    return player


def changed(shown: str, change: Change) -> None:
    """Do something with the player of a ladder, in the callback of a widget."""
    kept = st.session_state.get(_STATE)
    if isinstance(kept, tuple):
        player = change(kept[1], time.monotonic())
        _keep(shown, player)
        st.query_params[PARAMETER] = player.speed


def _keep(shown: str, player: Player) -> None:
    st.session_state[_STATE] = ((shown, player.length), player)
