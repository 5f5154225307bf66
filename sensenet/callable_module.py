"""Modules that stand for the function of their name: `sensenet.compile(…)`, of the module `sensenet.compile`.

The import system binds a module to its name in the package whenever anything imports it, so a function of
that name would be there or not with the order of imports.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any


def make_callable(name: str, function: Callable[..., Any]) -> None:
    """Let calls of the module of that name call the function, which `help` and `inspect` then show."""

    class CallableModule(types.ModuleType):
        __wrapped__ = staticmethod(function)  # where inspect.signature and help look

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return function(*arguments, **options)

    sys.modules[name].__class__ = CallableModule
