"""What single values of a scene's file or link may be: texts that can be seen, short ids, finite numbers."""

from __future__ import annotations

import math
import re
import unicodedata

from scaling_core.errors import InputError
from scaling_core.language import t

_ID = re.compile(r"[\w][\w .:@+-]{0,79}")
_HIDDEN = ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
_TURNED = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def plain_text(field: str, value: object, most: int, *, empty: bool = False) -> str:
    """A text without spaces at its ends; raises InputError where it is none, too long, or not all to be seen."""
    text = value.strip() if isinstance(value, str) else ""
    seen = not any(unicodedata.category(c) in _HIDDEN or c in _TURNED for c in text)
    if not isinstance(value, str) or len(text) > most or not seen or not (text or empty):
        raise InputError(field, shown(value), t("it must be a text of up to {n} visible characters", n=most))
    return text


def is_id(text: str) -> bool:
    """Whether it is a short name of letters, digits and signs."""
    return bool(_ID.fullmatch(text))


def short_id(field: str, value: object) -> str:
    """A short name of letters, digits and signs; raises InputError for anything else."""
    if not isinstance(value, str) or not is_id(value):
        raise InputError(field, shown(value), t("it must be a short name of letters, digits and signs"))
    return value


def shown(value: object) -> str:
    """Something of a value, for a sentence, whatever it is."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else "?" for c in value[:60])
    return type(value).__name__


def finite(name: str, value: object) -> float:
    """A finite number; raises InputError for anything else, true and false among it."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(float(value)):
            return float(value)
    except OverflowError:
        pass
    raise InputError(name, shown(value), t("it must be a number"))
