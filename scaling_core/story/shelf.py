"""Where a story lies: the project's own in `data/story.json`, and the one that a person made of it in the lab's home.

<home>/story.json is written whole or not at all, and one change at a time, so that two windows lose nothing of each
other's. A file that cannot be read is never written over: it is kept beside the new one under another name.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

from scaling_core.catalog import DATA
from scaling_core.errors import InputError, ScalingError, StoreError
from scaling_core.language import t
from scaling_core.runs import place
from scaling_core.runs.own_file import alone, keep_aside
from scaling_core.story.scene import MOST_BYTES, MOST_SCENES, Scene, read_story, record_of

Story = tuple[Scene, ...]
FILE = DATA / "story.json"


@cache
def published() -> Story:
    """The project's own story; raises ScalingError where its file cannot be read or holds what no page takes."""
    try:
        scenes, problems = read_story(FILE.read_bytes())
    except (OSError, InputError) as error:
        raise _broken(str(error)) from error
    if problems:
        raise _broken(problems[0])
    return scenes


def _broken(reason: str) -> ScalingError:
    return ScalingError(
        t("{file} cannot be read ({reason}); restore it from the project.", file="data/story.json", reason=reason)
    )


def file_of(home: Path | None = None) -> Path:
    """Where a person's own story is; it may not exist yet."""
    return (home or place.home()) / "story.json"


def story(home: Path | None = None) -> tuple[Story, str]:
    """The scenes in their order: the person's own where there are any, else the project's; and what to say of it."""
    try:
        return _own(file_of(home)) or published(), ""
    except StoreError as error:
        return published(), str(error)


def is_own(home: Path | None = None) -> bool:
    """Whether a person has a story of their own here."""
    return file_of(home).exists()


def change(edit: Callable[[Story], Story], home: Path | None = None) -> str:
    """Change the story as `edit` says, and return what else there is to say, or "".

    Raises InputError where `edit` leaves no scene or too many, StoreError where the disk does not take it.
    """
    path, said = file_of(home), ""
    place.make_folder(path.parent)
    with alone(path):
        try:
            before = _own(path) or published()
        except StoreError:
            kept = keep_aside(path)
            before, said = published(), t("The story that could not be read was kept in {name}.", name=kept)
        after = edit(before)
        if not 0 < len(after) <= MOST_SCENES:
            raise InputError("scenes", len(after), t("a story has 1 to {n} scenes", n=MOST_SCENES))
        place.write_json(path, record_of(after))
    return said


def forget(home: Path | None = None) -> None:
    """Go back to the project's story; the person's own is deleted. Raises StoreError where that cannot be done."""
    try:
        file_of(home).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(
            t("{path} cannot be deleted ({reason}); check its rights.", path=file_of(home), reason=error.strerror or "")
        ) from error


def _own(path: Path) -> Story | None:
    """The scenes of that file, None where there is none; raises StoreError for one that cannot be read."""
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(error.strerror or t("the disk does not give it")) from error
    if not stat.S_ISREG(facts.st_mode):
        raise _refused(t("it is no file"))
    if facts.st_size > MOST_BYTES:
        raise _refused(t("it is larger than {most:,} bytes", most=MOST_BYTES))
    try:
        return _parsed(path, facts.st_mtime_ns, facts.st_size, facts.st_ino)
    except OSError as error:
        raise _refused(error.strerror or t("the disk does not give it")) from error
    except InputError as error:
        raise _refused(str(error).rstrip(".。")) from error


@lru_cache(maxsize=8)
def _parsed(path: Path, _modified: int, _size: int, _inode: int) -> Story:
    """The scenes in a file; time, size and inode tell a file from what stood there before."""
    with path.open("rb") as file:
        return read_story(file.read(MOST_BYTES + 1))[0]


def _refused(reason: str) -> StoreError:
    return StoreError(
        t(
            "Your own story cannot be read from story.json: {reason}. The project's own is shown instead; the next "
            "change keeps the file beside a new one.",
            reason=reason,
        )
    )
