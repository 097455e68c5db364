"""Study paths, projects and papers, read from `data/learn/`: what there is to do, and where in the app it is done.

Every text stands there in all languages side by side. What is read is checked as a whole: a target that no page has,
or a text that lacks a language, is an error when the file is read, not when somebody presses the button.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args

from scaling_core.catalog import DATA, presets
from scaling_core.errors import InputError, ScalingError
from scaling_core.language import LANGUAGES, current, t

FOLDER = DATA / "learn"
Level = Literal["beginner", "intermediate", "advanced"]
LEVELS: tuple[Level, ...] = get_args(Level)
PAPERS = "papers"
"""Begins the id of a paper's tick, so that it never meets that of a step."""

ADDRESS: Mapping[str, tuple[str, ...]] = {
    "calculator": ("law", "C", "N", "D"),
    "models": ("law",),
    "beyond": ("law", "C", "served", "unique"),
    "plan": ("law",),
    "fit": (),
    "demo": (),
    "lab": ("sweep",),
    "talk": (),
}
"""The pages that a step can open, by their part of the address, and the parameters that each takes there."""
STATE: Mapping[str, tuple[str, ...]] = {
    "calculator": ("given",),
    "plan": ("plan.given", "plan.hardware"),
    "fit": ("fit.source", "fit.approach"),
    "demo": ("planted", "demo.noise"),
    "lab": ("lab.mode", "lab.corpus", "lab.own.what"),
    "talk": ("verdict", "source"),
}
"""What else a step can set there, by the key of the widget."""
LAWS = ("law", "planted")
"""Parameters whose value is the id of a published law in N and D."""

_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
Row = TypeVar("Row")
_ARXIV = re.compile(r"\d{4}\.\d{5}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """One text in every language."""

    en: str
    zh: str

    @property
    def told(self) -> str:
        """The text in the present language."""
        return self.zh if current() == "zh" else self.en


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A place in the app. page: its part of the address. address: parameters there. state: widgets by their key."""

    page: str
    address: Mapping[str, str]
    state: Mapping[str, str]

    @property
    def law(self) -> str | None:
        """Id of the published law that is chosen there, if one is."""
        return next((v for k, v in (*self.address.items(), *self.state.items()) if k in LAWS), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing to do, once ticked off. when: the day, weeks or months of a path, None in a project."""

    id: str
    text: Text
    when: Text | None
    target: Target | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """A way through the subject in a given time. goal: what it is for. outcome: what there is at its end."""

    id: str
    name: Text
    goal: Text
    outcome: Text
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """One of the ten. named: whether the documents say what it is, or only that there is one of this number."""

    number: int
    level: Level
    name: Text
    goal: Text
    named: bool
    steps: tuple[Step, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """A paper, what it contributes in one sentence, and where the app shows it. named: by the documents."""

    id: str
    authors: str
    year: int
    title: str
    arxiv: str
    contributes: Text
    named: bool
    target: Target | None

    @property
    def url(self) -> str:
        """Its page at arXiv."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    @property
    def tick(self) -> str:
        """The id under which it is ticked off as read."""
        return f"{PAPERS}-{self.id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One part of the reading list. when: its weeks in the documents' plan of fourteen."""

    id: str
    name: Text
    when: Text
    papers: tuple[Paper, ...]


@cache
def paths() -> tuple[Path, ...]:
    """The study paths, shortest first; raises ScalingError where their file cannot be read."""
    return tuple(_built("paths", _path))


@cache
def projects() -> tuple[Project, ...]:
    """The ten projects in their order; raises ScalingError where their file cannot be read."""
    return tuple(_built("projects", _project))


@cache
def stages() -> tuple[Stage, ...]:
    """The reading list, stage by stage; raises ScalingError where its file cannot be read."""
    return tuple(_built("reading", _stage))


def papers() -> tuple[Paper, ...]:
    """Every paper of the list in its order."""
    return tuple(paper for stage in stages() for paper in stage.papers)


def steps() -> tuple[Step, ...]:
    """Every step of the paths and of the projects."""
    of_paths = [step for path in paths() for step in path.steps]
    return (*of_paths, *(step for project in projects() for step in project.steps))


def targets() -> Iterator[Target]:
    """Every place in the app that a step or a paper opens."""
    yield from (step.target for step in steps() if step.target is not None)
    yield from (paper.target for paper in papers() if paper.target is not None)


def _built(name: str, make: Callable[[dict[str, Any]], Row]) -> list[Row]:
    """The rows of a file, each made a record; what is wrong in one becomes a sentence that names the file."""
    try:
        return [make(row) for row in json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))]
    except (OSError, ValueError, KeyError, TypeError, InputError) as error:
        raise ScalingError(
            t(
                "{file} cannot be read ({reason}); restore it from the project.",
                file=f"data/learn/{name}.json",
                reason=str(error),
            )
        ) from error


def _path(row: dict[str, Any]) -> Path:
    return Path(
        id=_id(row["id"]),
        name=_text(row["name"]),
        goal=_text(row["goal"]),
        outcome=_text(row["outcome"]),
        steps=tuple(_step(step, dated=True) for step in row["steps"]),
    )


def _project(row: dict[str, Any]) -> Project:
    return Project(
        number=int(row["number"]),
        level=_level(row["level"]),
        name=_text(row["name"]),
        goal=_text(row["goal"]),
        named=bool(row["named"]),
        steps=tuple(_step(step, dated=False) for step in row["steps"]),
    )


def _stage(row: dict[str, Any]) -> Stage:
    return Stage(
        id=_id(row["id"]),
        name=_text(row["name"]),
        when=_text(row["when"]),
        papers=tuple(_paper(paper) for paper in row["papers"]),
    )


def _step(row: dict[str, Any], *, dated: bool) -> Step:
    when = _text(row["when"]) if dated else None
    return Step(id=_id(row["id"]), text=_text(row["text"]), when=when, target=_target(row.get("target")))


def _paper(row: dict[str, Any]) -> Paper:
    arxiv = str(row["arxiv"])
    if not _ARXIV.fullmatch(arxiv):
        raise InputError("arxiv", arxiv, t("it must look like 2001.08361"))
    return Paper(
        id=_id(row["id"]),
        authors=str(row["authors"]),
        year=int(row["year"]),
        title=str(row["title"]),
        arxiv=arxiv,
        contributes=_text(row["contributes"]),
        named=bool(row["named"]),
        target=_target(row.get("target")),
    )


def _target(row: dict[str, Any] | None) -> Target | None:
    """The place of a row, every part of it checked against what the pages take."""
    if row is None:
        return None
    page = row["page"]
    if page not in ADDRESS:
        raise InputError("page", page, t("it must be one of {known}", known=", ".join(ADDRESS)))
    address, state = _strings(row.get("address", {})), _strings(row.get("state", {}))
    for name in (*set(address) - set(ADDRESS[page]), *set(state) - set(STATE.get(page, ()))):
        raise InputError(f"target {page}", name, t("the page does not take it"))
    target = Target(page=page, address=MappingProxyType(address), state=MappingProxyType(state))
    if target.law is not None and target.law not in (known := [p.id for p in presets("joint")]):
        raise InputError("law", target.law, t("it must be one of {known}", known=", ".join(known)))
    return target


def _strings(row: dict[str, Any]) -> dict[str, str]:
    for name, value in row.items():
        if not isinstance(value, str):
            raise InputError(name, value, t("it must be a text"))
    return dict(row)


def _text(row: dict[str, Any]) -> Text:
    """A text in every language; raises InputError where one is missing or empty."""
    for language in LANGUAGES:
        if not str(row.get(language, "")).strip():
            raise InputError("text", row.get("en", ""), t("it must be there in {language} too", language=language))
    return Text(**row)


def _id(value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InputError("id", value, t("it must be lower-case letters and digits, joined by -"))
    return value


def _level(value: object) -> Level:
    for level in LEVELS:
        if value == level:
            return level
    raise InputError("level", value, t("it must be one of {known}", known=", ".join(LEVELS)))
