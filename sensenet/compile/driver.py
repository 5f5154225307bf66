"""Names of `sensenet.compiler.driver`, under their former path."""

from __future__ import annotations

from sensenet.compiler.driver import compile, compile_targets
from sensenet.compiler.request import Source

__all__ = ["Source", "compile", "compile_targets"]
