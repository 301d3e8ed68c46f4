"""Errors that a user can cause and mend: one sentence on the problem, one on the way out."""

from __future__ import annotations


class SaliencyError(Exception):
    """Something the user gave cannot be used; says what is wrong and what to do."""

    def __init__(self, problem: str, hint: str = "") -> None:
        self.problem = problem
        self.hint = hint
        super().__init__(f"{problem} {hint}".strip())


class ImageError(SaliencyError):
    """A picture that cannot be read or does not fit the model."""


class SettingError(SaliencyError):
    """A setting outside what is allowed, or a spelling that cannot be read."""


class TargetError(SaliencyError):
    """A class, layer or unit that the model does not have."""


class ModelError(SaliencyError):
    """A model that cannot be found, opened or differentiated."""


class DownloadError(ModelError):
    """Weights that could not be fetched or did not pass their check."""


class NotFiniteError(SaliencyError):
    """Numbers that overflowed or were never finite."""


class WorkerError(SaliencyError):
    """A worker process that ended, hung or answered with something unreadable."""


class Cancelled(SaliencyError):
    """A computation that was stopped on request."""
