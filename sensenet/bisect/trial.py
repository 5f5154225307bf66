"""Names of `sensenet.compiler.bisect.trial`, under their former path."""

from __future__ import annotations

from sensenet.compiler.bisect.trial import Outcome, Trial

__all__ = ["Outcome", "Trial"]
