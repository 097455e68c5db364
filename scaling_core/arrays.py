"""The array types that signatures speak of."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

IndexArray: TypeAlias = NDArray[np.intp]
"""Positions in another array."""

BoolArray: TypeAlias = NDArray[np.bool_]
"""A mask."""

FloatArray: TypeAlias = NDArray[np.float64]
"""float64, any shape; the docstring of each function names the shape."""

ArrayLike: TypeAlias = float | FloatArray
"""A scalar or an array that broadcasts; the result has the broadcast shape."""
