"""Names of `sensenet.compiler.driver`, at the path where they were before."""

from __future__ import annotations

from sensenet.compiler.driver import compile, compile_targets
from sensenet.compiler.request import Source

__all__ = ["Source", "compile", "compile_targets"]
