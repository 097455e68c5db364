"""`python -m scaling_core.language`: bring the catalogues up to date with the code and say what is not translated."""

from __future__ import annotations

import sys

from scaling_core.language.extract import update

if __name__ == "__main__":
    sys.exit(update())
