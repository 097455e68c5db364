"""Where the runs of the page "Fit your runs" come from: an example, a file, a pasted text, or a ladder of the lab.

What is uploaded or pasted lives in the viewer's session and is written nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import streamlit as st

from scaling_core.catalog import Convention
from scaling_core.demo import DemoSpec, make_runs
from scaling_core.errors import InputError, ScalingError, StoreError
from scaling_core.fit import RunPoints, RunTable, read_table
from scaling_core.fit.tables.sheet import open_sheet
from scaling_core.language import t
from scaling_core.runs import place, recording, results
from scaling_core.ui import lab_data
from scaling_core.ui.inputs import choice_input
from scaling_core.ui.lab_words import sweep_names
from scaling_core.ui.page import note
from scaling_core.units import format_bytes
from scaling_core.viz.fit_runs import size_name

EXAMPLE, RECORDED, UPLOAD, PASTE, LADDER = "example", "recorded", "upload", "paste", "ladder:"
MOST_BYTES = 20 * 1024 * 1024
"""Largest table of the page, the same as the server's own limit; checked again here, whatever the browser sent."""
MOST_RUNS = 100_000
"""More runs are for the command line: a page should answer at once."""
PLANTED = DemoSpec.of_preset("hoffmann2022", n_sizes=7, n_horizons=7, seed=1)
"""The example: equal steps of size and horizon, so that its diagonals are budgets and every approach has its runs."""
_RECOGNISED, _NONE = "~", ""
_FILE = "fit.file~kept"
_GOOD = "fit.good"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Runs to fit. kind: example, recorded, upload, paste or ladder. name: for sentences. key: of the content.

    others: the same table with parameters counted in each other way, by the name of the count. sweep: id of a ladder.
    """

    kind: str
    name: str
    key: str
    table: RunTable
    others: Mapping[str, RunTable]
    sweep: str = ""

    @property
    def simulated(self) -> bool:
        """Whether no model was trained for these runs."""
        return self.kind == EXAMPLE

    @property
    def of_lab(self) -> bool:
        """Whether a ladder of this lab was trained for these runs, here or elsewhere."""
        return self.kind in ("ladder", RECORDED)

    @property
    def convention(self) -> Convention:
        """What N counts, as saved laws name it."""
        return "non-embedding" if self.table.count == "params_non_embedding" else "total"


def pick_source() -> tuple[Source, str | None]:
    """Draw the choice of runs and return them, with the sentence why they are not those that were asked for.

    What cannot be read leaves the runs that this viewer saw last, or else the example.
    """
    rows = _ladders()
    names = {
        EXAMPLE: t("Example, simulated"),
        RECORDED: t("Example, a ladder trained by us"),
        UPLOAD: t("Upload a table"),
        PASTE: t("Paste a table"),
    }
    if not recording.EXAMPLE.exists():
        del names[RECORDED]
    names |= {LADDER + sweep: t("Ladder: {name}", name=name) for sweep, name in rows.items()}
    kind = choice_input(t("Runs"), "fit.source", names)
    try:
        source = _chosen(kind, rows)
    except ScalingError as error:
        return _last_good(), str(error)
    if source is None:
        return _last_good(), None
    if not source.simulated:
        st.session_state[_GOOD] = source
    return source, None


def _chosen(kind: str, ladders: Mapping[str, str]) -> Source | None:
    """The runs of a choice, None while nothing was given; raises ScalingError where they cannot be read."""
    if kind == EXAMPLE:
        return example()
    if kind == RECORDED:
        seen = recording.read_recording(recording.EXAMPLE)
        content = results.csv_text(seen.row, seen.runs, seen.predictions)
        corpus = seen.row.corpus.get("name") or t("a text")
        name = t("a ladder of {n} runs on {text}", n=len(seen.runs), text=corpus)
        return _from_table(RECORDED, name, content.encode(), {"group": "shape"})
    if kind.startswith(LADDER):
        sweep = kind.removeprefix(LADDER)
        text = results.export_csv(sweep, place.home())
        source = _from_table("ladder", ladders[sweep], text.encode(), {"group": "shape"})
        return replace(source, sweep=sweep)
    given = _uploaded() if kind == UPLOAD else _pasted()
    return None if given is None else _from_table(kind, *given, None)


def _last_good() -> Source:
    source: Source = st.session_state.get(_GOOD) or example()
    return source


@st.cache_resource(show_spinner=False)
def example() -> Source:
    """The simulated runs that the page begins with; their names are told again wherever they are shown."""
    points = make_runs(PLANTED)
    names = [size_name(n, d) for n, d in zip(points.N.tolist(), points.D.tolist(), strict=True)]
    table = RunTable(
        points=replace(points, label=tuple(names)),
        held_out=None,
        lines=np.arange(len(points)) + 1,
        columns={},
        counts={},
        count=None,
        unused=(),
        loss_unit="nats per token",
        skipped=(),
        skipped_count=0,
        notes=(),
    )
    name = t("simulated from {law}", law=t("Hoffmann 2022, full precision"))
    return Source(kind=EXAMPLE, name=name, key="example", table=table, others={})


def _ladders() -> dict[str, str]:
    """Ladders of the lab that have a finished run, by id, each with a name that no other has."""
    home = place.home()
    if not place.database(home).exists():
        return {}
    try:
        rows = lab_data.sweeps(home)
        names = sweep_names(rows)
        return {row.id: names[row.id] for row in rows if any(run.loss for run in lab_data.past(home, row.id)[0])}
    except StoreError as error:
        note(str(error), kind="warning")
        return {}


def _uploaded() -> tuple[str, bytes] | None:
    """Name and content of the file that this viewer gave last."""
    st.file_uploader(
        t("Table of runs: CSV, TSV or text"),
        type=["csv", "tsv", "txt"],
        key="fit.file",
        on_change=_keep_file,
        max_upload_size=MOST_BYTES // 1024**2,
        label_visibility="collapsed",
        help=t("Columns for the loss and two of N, D, C, under any of their usual names. 20 MB at most."),
    )
    kept: tuple[str, bytes] | None = st.session_state.get(_FILE)
    if kept is None:
        note(t("Columns for the loss and two of N, D, C. Nothing is stored unless you save the law."))
        return None
    if st.session_state.get("fit.file") is None:
        note(t("In use: {name}, {size}.", name=kept[0], size=format_bytes(len(kept[1]))))
        st.button(t("Forget this file"), key="fit.forget", on_click=_forget_file)
    if len(kept[1]) > MOST_BYTES:
        raise InputError(t("file"), format_bytes(len(kept[1])), _too_large())
    return kept


def _keep_file() -> None:
    """A file came or was taken away: only then what is kept changes, not when the page is left."""
    file = st.session_state.get("fit.file")
    st.session_state[_FILE] = None if file is None else (_shown(file.name), file.getvalue())


def _forget_file() -> None:
    st.session_state[_FILE] = None
    st.session_state.pop(_GOOD, None)


def _shown(name: str) -> str:
    """A file's name on one line of at most 60 characters that can all be seen."""
    text = "".join(char if char.isprintable() else " " for char in name).strip() or t("the file")
    return text if len(text) <= 60 else f"{text[:57]}..."


def _pasted() -> tuple[str, bytes] | None:
    kept = "fit.text~kept"
    if "fit.text" not in st.session_state and kept in st.session_state:
        st.session_state["fit.text"] = st.session_state[kept]
    text = st.text_area(
        t("Rows of a table, its header first"),
        key="fit.text",
        height=150,
        placeholder="N, D, loss\n70M, 1.4B, 3.61\n160M, 3.2B, 3.18\n...",
    )
    st.session_state[kept] = text or ""
    if not (text or "").strip():
        note(t("Paste from a spreadsheet or a file, then press Ctrl or ⌘ and Enter."))
        return None
    content = text.encode("utf-8", "replace")
    if len(content) > MOST_BYTES:
        raise InputError(t("pasted text"), format_bytes(len(content)), _too_large())
    return t("the pasted table"), content


def _too_large() -> str:
    return t("a table may hold {size} here", size=format_bytes(MOST_BYTES))


def _from_table(kind: str, name: str, content: bytes, mapping: Mapping[str, str] | None) -> Source:
    """The runs of a table as the reader wants it read; raises InputError that names the file and the line."""
    digest = sha256(content).hexdigest()
    skip = _skip() if mapping is None else False
    columns = _columns(digest, content) if mapping is None else dict(mapping)
    first = _read(digest, None, skip, tuple(sorted(columns.items())), content)
    if isinstance(first, str):
        raise ScalingError(t("{name}: {problem}", name=name, problem=first))
    if len(first.points) > MOST_RUNS:
        allowed = t("this page fits up to {most}; use the command line", most=MOST_RUNS)
        raise InputError(name, t("{n} runs", n=len(first.points)), allowed)
    tables = {first.count or "": first}
    for count in first.counts:
        table = _read(digest, count, skip, tuple(sorted(columns.items())), content)
        if isinstance(table, RunTable):
            tables[count] = table
    count = first.count or ""
    if len(tables) > 1:
        titles = {
            c: t("{count} ({title})", count=count_name(c), title=title)
            for c, title in first.counts.items()
            if c in tables
        }
        count = choice_input(t("Parameters counted"), "fit.count", titles)
    key = f"{digest}/{count}/{skip}/{sorted(columns.items())}"
    others = {c: table for c, table in tables.items() if c != count}
    return Source(kind=kind, name=name, key=key, table=tables[count], others=others)


def count_name(count: str) -> str:
    """A way of counting parameters in words: what a table counts."""
    names = {
        "params": t("as the table's own N"),
        "params_total": t("every parameter"),
        "params_non_embedding": t("without embeddings"),
        "params_active": t("active parameters"),
    }
    return names.get(count, count)


def mapped() -> dict[str, str]:
    """Quantities that may be read from a column of the reader's choice."""
    return {"loss": t("Loss"), "N": "N", "D": "D", "C": "C", "se": t("Standard error"), "group": t("Group")}


def _skip() -> bool:
    label = t("Leave out rows that cannot be read")
    return bool(st.toggle(label, key="fit.skip", persist_state="session"))


def _columns(digest: str, content: bytes) -> dict[str, str]:
    """Columns that the reader chose in place of the recognised ones: quantity to title, "" for none."""
    header = _header(digest, content)
    if not header:
        return {}
    chosen = {}
    with st.expander(t("Columns")):
        options = {_RECOGNISED: t("as recognised"), **{title: title for title in header}, _NONE: t("none")}
        mark = sha256("\n".join(header).encode("utf-8", "replace")).hexdigest()[:8]
        for quantity, label in mapped().items():
            title = choice_input(label, f"fit.map.{quantity}.{mark}", options)
            if title != _RECOGNISED:
                chosen[quantity] = title
    return chosen


@st.cache_data(max_entries=16, show_spinner=False)
def _header(digest: str, _content: bytes) -> tuple[str, ...]:
    """The titles of a table, at most 60 of them, or none where it has no header that can be read."""
    try:
        return tuple(dict.fromkeys(title for title in open_sheet(_content).header if title))[:60]
    except InputError:
        return ()


@st.cache_resource(max_entries=12, show_spinner=False)
def _read(
    digest: str, count: str | None, skip: bool, mapping: tuple[tuple[str, str], ...], _content: bytes
) -> RunTable | str:
    """The table with each run named by its line, or the sentence that says why it cannot be read.

    Both are kept for every viewer: they are told again, in the viewer's language, where they are shown.
    """
    try:
        table = read_table(_content, count=count, skip_bad=skip, mapping=dict(mapping))
    except InputError as error:
        return str(error)
    if len(table.points) > MOST_RUNS:
        return table
    lines = [t("line {line}", line=line) for line in table.lines.tolist()]
    labels, names = lines, table.points.label
    if names is not None:
        labels = [t("{name} ({line})", name=name, line=line) for name, line in zip(names, lines, strict=True)]
    return replace(table, points=replace(table.points, label=tuple(labels)))


def training_curves(source: Source) -> RunPoints:
    """Rows of the envelope of training curves: one for each moment of a run, with the run's name as its group.

    For a ladder these are its trunks as they were stored. In a table each row is a moment; one that names no runs has
    the rows of each size for a run. Raises ScalingError where the ladder is gone.
    """
    if source.kind != "ladder":
        points = source.table.points
        return points if points.group is not None else replace(points, group=tuple(f"{n:.9g}" for n in points.N))
    seen = lab_data.snapshot(place.home(), source.sweep)
    if seen is None:
        raise InputError(t("ladder"), source.name, t("it was deleted"))
    sizes = {line.track: float(line.runs[0].params) for line in seen.row.plan.lines}
    trunks = seen.curves[~seen.curves["branch"].astype(bool)]
    return RunPoints.of(
        N=[sizes[track] for track in trunks["track"]],
        D=trunks["tokens"].to_numpy(dtype=np.float64),
        loss=trunks["loss"].to_numpy(dtype=np.float64),
        group=list(trunks["track"]),
    )
