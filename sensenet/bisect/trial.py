"""Names of `sensenet.compiler.bisect.trial`, at the path where they were before."""

from __future__ import annotations

from sensenet.compiler.bisect.trial import Outcome, Trial

__all__ = ["Outcome", "Trial"]
