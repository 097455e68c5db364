"""`python -m scaling_core`: see `cli`."""

from __future__ import annotations

import sys

from scaling_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
