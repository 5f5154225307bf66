"""Compiles a deepnet for a target: `sensenet.compile(source, target)`, or `python -m sensenet.compile`.

This module is callable: it stands for the function `sensenet.compile.driver.compile`, which
`help` explains. The import system binds the module to the name `sensenet.compile` whenever anything imports
it, so a function of that name would be there or not with the order of imports.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from sensenet.compile.driver import compile

__all__ = ["compile"]


class _CallableModule(types.ModuleType):
    __wrapped__ = staticmethod(compile)  # where inspect.signature and help look

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return compile(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
