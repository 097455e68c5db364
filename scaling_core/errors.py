"""Errors whose text is one sentence for a person: what, the value seen, what is allowed, what to do.

ScalingError              anything the reader can be told in a sentence
├── InputError            a field holds what it may not (the command line exits with 2)
├── FitError              the data cannot carry the fit that was asked for
├── CorpusError           a text cannot be read, or is too small to train on
├── DeviceError           a device is absent, refused by its self-test, or has vanished
├── CheckpointError       a checkpoint is torn, truncated or from another run
├── StoreError            the database cannot be opened, or was written by another version
└── SweepError            a sweep cannot be started, stopped, resumed or deleted as asked
"""

from __future__ import annotations

from scaling_core.language import retold, t


class ScalingError(Exception):
    """Base of every error that is shown to a person as one sentence, `str(error)`, in that person's language."""

    def __str__(self) -> str:
        return retold(self.args[0]) if len(self.args) == 1 and isinstance(self.args[0], str) else super().__str__()


class InputError(ScalingError):
    """A field holds a value that it may not hold.

    The message names the field, the value seen and what is allowed.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field = field
        self.value = value
        self.allowed = allowed
        shown = repr(value) if isinstance(value, str) else str(value)
        if len(shown) > 80:
            shown = shown[:77] + "..."
        super().__init__(t("{field}: got {shown}, but {allowed}.", field=field, shown=shown, allowed=allowed))


class FitError(ScalingError):
    """The data cannot carry the fit that was asked for."""


class CorpusError(ScalingError):
    """A text cannot be read, or is too small to train on."""


class DeviceError(ScalingError):
    """A device is absent, refused by its self-test, or has vanished."""


class CheckpointError(ScalingError):
    """A checkpoint is torn, truncated or belongs to another run."""


class StoreError(ScalingError):
    """The database cannot be opened, or was written by another version."""


class SweepError(ScalingError):
    """A sweep cannot be started, stopped, resumed or deleted as asked."""
