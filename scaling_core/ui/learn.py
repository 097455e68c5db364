"""The page "Learn": the next step in large, one study path, the projects of one level, and the whole reading list.

What is ticked off lies in the lab's home and is read anew on each run, so that every window shows the same. Where the
disk refuses a tick it is kept in this window, said, and written with the next one.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

import streamlit as st

from scaling_core.catalog import preset
from scaling_core.errors import StoreError
from scaling_core.lab.spec import MODES
from scaling_core.language import current, t, tn, together
from scaling_core.learn import LEVELS, Level, Paper, Path, Project, Step, Target, papers, paths, projects, stages
from scaling_core.ticks import done, mark
from scaling_core.ui.lab_words import mode_name
from scaling_core.ui.law_picker import Picker
from scaling_core.ui.page import answer, escape_markdown, note, section
from scaling_core.ui.talk import formula
from scaling_core.ui.words import short_name
from scaling_core.viz.theme import Theme

PICKERS = {"law": "law~picker", "planted": "planted~picker"}
"""Parameters that choose a law, and where the pages keep the choice for the session."""
_UNSAVED = "learn.unsaved"
_SAID = "learn.said"
_WIDTHS = {"path": "7.6rem", "project": "1.6rem", "reading": "13rem"}
"""Of the first column of each kind of list, which says when or who; then come what, and where it is done."""


def learn_page(theme: Theme) -> None:
    """The whole page."""
    st.html(_styles(theme))
    ticked = _ticked()
    opening = st.container()
    path = _path(ticked)
    _projects(ticked)
    _reading(ticked)
    with opening:
        _opening(path, ticked)
    note(
        t(
            "The documents behind the talk name the three paths, seven of the 23 papers, six of the seven stages and "
            "nine of the ten projects. What they leave open was filled in here, and their numbers were corrected. "
            "Links lead to arXiv and open when they are clicked."
        )
    )


def _opening(path: Path, ticked: frozenset[str]) -> None:
    """The next step of the path in large, the button that opens it, and how far everything is."""
    left = [step for step in path.steps if step.id not in ticked]
    question = t("{path}: what comes next?", path=path.name.told)
    counts = together(
        t("{done} of {all} steps of this path are done.", done=len(path.steps) - len(left), all=len(path.steps)),
        t(
            "Ten projects: {done} of {all} steps. Reading: {read} of {papers} papers.",
            done=sum(step.id in ticked for project in projects() for step in project.steps),
            all=sum(len(project.steps) for project in projects()),
            read=sum(paper.tick in ticked for paper in papers()),
            papers=len(papers()),
        ),
    )
    if not left:
        answer(question, t("Nothing: this path is done."), counts)
        return
    step = left[0]
    answer(question, step.text.told, counts)
    if step.target is not None and st.button(
        t("Open {place}", place=escape_markdown(place_name(step.target))), key="learn.next", type="primary"
    ):
        open_target(step.target)


def _path(ticked: frozenset[str]) -> Path:
    """The path that was chosen, step by step."""
    section(t("Study paths"))
    known = {path.id: path for path in paths()}
    chosen = _choice(t("Study path"), "path", {id: path.name.told for id, path in known.items()})
    path = known[chosen]
    note(together(path.goal.told, path.outcome.told))
    with st.container(key="study-path"):
        before = ""
        for step in path.steps:
            when = step.when.told if step.when else ""
            _step(step, ticked, "" if when == before else when)
            before = when
    return path


def _projects(ticked: frozenset[str]) -> None:
    """The projects of the chosen level."""
    section(t("Ten projects"), t("Each is done with the pages of this app; what they need is opened with its numbers."))
    names: dict[Level, str] = {
        "beginner": t("Beginner, 1 to 3"),
        "intermediate": t("Intermediate, 4 to 6"),
        "advanced": t("Advanced, 7 to 10"),
    }
    chosen = _choice(t("Level"), "level", {level: names[level] for level in LEVELS})
    for project in projects():
        if project.level == chosen:
            _project(project, ticked)


def _project(project: Project, ticked: frozenset[str]) -> None:
    """A project under its number, its question beside the name."""
    n = sum(step.id in ticked for step in project.steps)
    count = t("{done} of {all}", done=n, all=len(project.steps))
    ours = "" if project.named else _tag(t("chosen here"))
    st.html(
        f"<div class='sl-project'><span class='sl-number'>{project.number}</span><div><h3>"
        f"{html.escape(project.name.told)} {ours}</h3><p>{html.escape(project.goal.told)}</p></div>"
        f"<span class='sl-count'>{html.escape(count)}</span></div>"
    )
    with st.container(key=f"study-project-{project.number}"):
        for step in project.steps:
            _step(step, ticked, "")


def _reading(ticked: frozenset[str]) -> None:
    """Every paper, stage by stage: read or not, what it contributes, and where the app shows it."""
    section(
        t("Reading list"),
        tn(
            "One paper in seven stages, with what it contributes and where it is seen here.",
            "{n} papers in seven stages, with what each contributes and where it is seen here.",
            len(papers()),
        ),
    )
    for number, stage in enumerate(stages()):
        st.html(
            f"<div class='sl-stage'><h3>{html.escape(stage.name.told)}</h3>"
            f"<span>{html.escape(stage.when.told)}</span></div>"
        )
        with st.container(key=f"study-reading-{number}"):
            for paper in stage.papers:
                _paper(paper, ticked)


def _step(step: Step, ticked: frozenset[str], when: str) -> None:
    """A row of its list: when, a box with what to do, and the button that opens the place."""
    if when:
        st.html(f"<p class='sl-when'>{html.escape(when)}</p>")
    _box(step.id, step.text.told, ticked)
    _button(step.id, step.target)


def _paper(paper: Paper, ticked: frozenset[str]) -> None:
    """A row of its list: a box with who wrote it, what it contributes, and the button that opens the place."""
    _box(paper.tick, f"{paper.authors} {paper.year}", ticked)
    tag = _tag(t("in the documents")) if paper.named else ""
    st.html(
        f"<p class='sl-paper'><a href='{html.escape(paper.url)}' target='_blank' rel='noopener noreferrer'>"
        f"{html.escape(paper.title)}</a> {tag}<br>{formula(paper.contributes.told)}</p>"
    )
    _button(paper.tick, paper.target)


def _tag(word: str) -> str:
    return f"<span class='sl-tag'>{html.escape(word)}</span>"


def _box(id: str, label: str, ticked: frozenset[str]) -> None:
    """A box that shows what is stored, whoever changed it last."""
    key = f"learn.{id}"
    st.session_state[key] = id in ticked
    st.checkbox(escape_markdown(label), key=key, on_change=_tick, args=(id,))


def _button(id: str, target: Target | None) -> None:
    if target is not None:
        label = f"{escape_markdown(place_name(target))} →"
        if st.button(label, key=f"learn.open.{id}", type="tertiary"):
            open_target(target)


def place_name(target: Target) -> str:
    """A place in a few words: its page, and the law or the mode that is chosen there."""
    page = page_names()[target.page]
    if target.law is not None:
        return t("{page}: {what}", page=page, what=short_name(preset(target.law)))
    if target.state.get("lab.own.what") == "rates":
        return t("{page}: {what}", page=page, what=t("Learning rates"))
    if (mode := next((m for m in MODES if m == target.state.get("lab.mode")), None)) is not None:
        return t("{page}: {what}", page=page, what=mode_name(mode))
    if target.address.get("sweep") == "example":
        return t("{page}: {what}", page=page, what=t("recorded"))
    return page


def page_names() -> Mapping[str, str]:
    """The pages as the navigation calls them, by their part of the address."""
    return {
        "calculator": t("Calculator"),
        "models": t("GPT-3 vs Chinchilla"),
        "beyond": t("Beyond the optimum"),
        "plan": t("Plan a training"),
        "fit": t("Fit your runs"),
        "demo": t("Synthetic demo"),
        "lab": t("Run on my Mac"),
        "talk": t("Talk check"),
        "learn": t("Learn"),
        "story": t("Story"),
    }


def open_target(target: Target) -> None:
    """Go to the place with its law, numbers and mode: set for this viewer, and in the address where the page reads it.

    What the viewer had chosen there earlier would count more than the address, so it is replaced.
    """
    for name, value in (*target.address.items(), *target.state.items()):
        if name in PICKERS:
            picker: Picker | None = st.session_state.get(PICKERS[name])
            if picker is None:
                st.session_state[PICKERS[name]] = Picker.of(preset(value))
            else:
                picker.load(preset(value))
        elif name != "sweep":
            st.session_state[name] = st.session_state[f"{name}~kept"] = value
    st.switch_page(f"pages/{target.page}.py", query_params=dict(target.address))


def _choice(label: str, key: str, options: Mapping[str, str]) -> str:
    """One of a few by its id, in the address too; it survives a visit elsewhere and a change of language."""
    kept, widget, ids = f"learn.{key}~kept", f"learn.{key}.{current()}", list(options)
    if widget not in st.session_state:
        wished = (st.session_state.get(kept), st.query_params.get(key))
        st.session_state[widget] = next((id for id in wished if id in ids), ids[0])
    chosen = st.segmented_control(
        label,
        ids,
        key=widget,
        required=True,
        format_func=lambda id: options.get(id, str(id)),
        label_visibility="collapsed",
    )
    st.session_state[kept] = chosen = chosen if chosen in ids else ids[0]
    if st.query_params.get(key, ids[0]) != chosen:
        st.query_params[key] = chosen
    return str(chosen)


def _ticked() -> frozenset[str]:
    """What is ticked off: what is stored, changed by what could not be; and whatever there is to say about it."""
    if said := st.session_state.pop(_SAID, ""):
        note(said, kind="warning")
    unsaved: dict[str, bool] = st.session_state.get(_UNSAVED, {})
    try:
        stored = done()
    except StoreError as error:
        note(str(error), kind="warning")
        stored = frozenset()
    return (stored | {id for id, on in unsaved.items() if on}) - {id for id, on in unsaved.items() if not on}


def _tick(id: str) -> None:
    """A box was used: its tick is stored, with those that could not be before."""
    changes: dict[str, bool] = {**st.session_state.get(_UNSAVED, {}), id: bool(st.session_state[f"learn.{id}"])}
    try:
        st.session_state[_SAID] = mark(changes)
        st.session_state.pop(_UNSAVED, None)
    except StoreError as error:
        st.session_state[_UNSAVED] = changes
        st.session_state[_SAID] = together(str(error), t("Until then ticks are kept in this window alone."))


def _styles(theme: Theme) -> str:
    """The few styles that only this page needs. A list is one grid: columns of the framework cost more than boxes."""
    first = "\n".join(
        f'[class*="st-key-study-{kind}"] {{ grid-template-columns: {width} minmax(0, 1fr) 17rem; }}'
        for kind, width in _WIDTHS.items()
    )
    return f"""<style>
[class*="st-key-study-"] {{ display: grid !important; align-items: center; gap: .5rem 1rem !important; }}
{first}
[class*="st-key-study-"] > [data-testid="stElementContainer"] {{ width: auto !important; grid-column: 1; }}
[class*="st-key-study-"] > [class*="st-key-learn-"] {{ grid-column: 2; }}
[class*="st-key-study-reading"] {{ row-gap: .9rem !important; align-items: start; }}
[class*="st-key-study-reading"] > [class*="st-key-learn-"] {{ grid-column: 1; }}
[class*="st-key-study-reading"] > [data-testid="stElementContainer"]:not([class*="st-key-"]) {{ grid-column: 2; }}
[class*="st-key-study-"] > [class*="st-key-learn-open-"] {{ grid-column: 3; justify-self: start; }}
@media (max-width: 640px) {{
  [class*="st-key-study-"] {{ grid-template-columns: 1fr; }}
  [class*="st-key-study-"] > [data-testid="stElementContainer"] {{ grid-column: 1 !important; }}
}}
.sl-when {{ margin: 0; min-height: 2.3rem; line-height: 2.3rem; font-size: .98rem; font-weight: 600;
  color: {theme.muted}; white-space: nowrap; }}
.sl-project, .sl-stage {{ display: flex; gap: .9rem; align-items: baseline; border-top: 1px solid {theme.border};
  padding-top: .8rem; margin-top: .5rem; }}
.sl-project h3, .sl-stage h3 {{ margin: 0; padding: 0; font-size: 1.18rem; font-weight: 650; line-height: 1.3;
  color: {theme.ink}; }}
.sl-project p {{ margin: .1rem 0 0; color: {theme.muted}; font-size: 1.02rem; }}
.sl-project > div {{ flex: 1; }}
.sl-number {{ font-size: 1.6rem; font-weight: 700; color: {theme.accent}; min-width: 1.6rem; line-height: 1;
  font-variant-numeric: tabular-nums; }}
.sl-count, .sl-stage span {{ color: {theme.muted}; font-size: .95rem; white-space: nowrap; }}
.sl-tag {{ font-size: .8rem; font-weight: 500; color: {theme.muted}; border: 1px solid {theme.border};
  border-radius: 1rem; padding: .05rem .5rem; margin-left: .3rem; white-space: nowrap; }}
.sl-paper {{ margin: 0; line-height: 1.45; color: {theme.muted}; }}
.sl-paper a {{ color: {theme.accent}; font-weight: 600; text-decoration-thickness: 1px; text-underline-offset: .15em; }}
.sl-paper sup {{ line-height: 0; font-size: .75em; }}
[class*="st-key-learn-"] label, [class*="st-key-learn-"] label * {{ white-space: normal; overflow: visible; }}
[class*="st-key-learn-"] label p {{ font-size: 1.02rem; line-height: 1.4; }}
[class*="st-key-learn-open-"] button p {{ color: {theme.accent}; text-align: left; }}
</style>"""
