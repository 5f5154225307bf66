"""Writes a trained network as a document: `sensenet.decompile(…)`, or `sensenet decompile`.

This module is callable: a call calls the function `sensenet.compiler.decompile.decompile`, which `help`
explains.
"""

from __future__ import annotations

from sensenet.callable_module import make_callable
from sensenet.compiler.decompile import decompile

__all__ = ["decompile"]

make_callable(__name__, decompile)
