"""Makes a module callable as the function of its name, such as `sensenet.compile(…)`.

The import system binds a module to its name in the package at any import of it, so whether a function of that
name is found would depend on the order of imports.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any


def make_callable(name: str, function: Callable[..., Any]) -> None:
    """Make the module of that name callable as the function, also for `help` and `inspect`."""

    class CallableModule(types.ModuleType):
        __wrapped__ = staticmethod(function)  # for inspect.signature and help

        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return function(*arguments, **options)

    sys.modules[name].__class__ = CallableModule
