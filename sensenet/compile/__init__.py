"""Compiles a deepnet for a target: `sensenet.compile(source, target)`, or `sensenet compile`.

This module is callable: a call calls the function `sensenet.compiler.driver.compile`, which `help` explains.
"""

from __future__ import annotations

from sensenet.callable_module import make_callable
from sensenet.compiler.driver import compile

__all__ = ["compile"]

make_callable(__name__, compile)
