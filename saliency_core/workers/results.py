"""Finished results in memory, bounded in bytes: a repeated request is answered at once."""

from __future__ import annotations

from collections import OrderedDict

from saliency_core.workers.job import Result


class Results:
    """Results by fingerprint up to `limit_bytes`; the one that was not asked for longest goes first."""

    def __init__(self, limit_bytes: float) -> None:
        self._limit = limit_bytes
        self._held: OrderedDict[str, Result] = OrderedDict()
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, fingerprint: str) -> Result | None:
        """The result of a request, or None."""
        found = self._held.get(fingerprint)
        if found is not None:
            self._held.move_to_end(fingerprint)
        return found

    def put(self, result: Result) -> None:
        """Keep a result, unless it alone is too large."""
        if result.nbytes > self._limit:
            return
        before = self._held.pop(result.fingerprint, None)
        self.nbytes += result.nbytes - (before.nbytes if before else 0)
        self._held[result.fingerprint] = result
        while self.nbytes > self._limit:
            _, oldest = self._held.popitem(last=False)
            self.nbytes -= oldest.nbytes
