"""The exceptions a user can meet: one family, rooted in `SensenetError`.

Every message says what is wrong, where (file, JSON path, row, node), what was expected and, where there is
one, the way out. Subclasses also derive from the built-in exception a caller would naturally catch.
"""

from __future__ import annotations

from typing import Any


class SensenetError(Exception):
    """Anything that sensenet reports about its input, its options or its environment.

    It can be pickled, so other processes get it as it was raised, whatever its class is made of.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self.args, self.__dict__)


def _remake(kind: type[SensenetError], args: tuple[Any, ...], attributes: dict[str, Any]) -> SensenetError:
    """Return an error as it was, without the arguments that it was made of, which it does not keep."""
    builtin: Any = kind
    while builtin.__module__ != "builtins":
        builtin = builtin.__base__  # the one whose layout objects have
    error: SensenetError = builtin.__new__(kind, *args)
    builtin.__init__(error, *args)
    error.__dict__.update(attributes)
    return error


class DocumentError(SensenetError, ValueError):
    """A BigML document that cannot be read or means nothing. `path` is the JSON path of the fault."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class SettingsError(SensenetError, ValueError):
    """An unknown setting, or a value that a setting does not take."""


class InputError(SensenetError, ValueError):
    """Rows, cells or images given to a model that it cannot read."""


class InputTypeError(InputError, TypeError):
    """An argument of a type that no model takes."""


class VerifyError(SensenetError):
    """A graph whose types, names or structure are inconsistent."""


class PassError(SensenetError):
    """A pass failed, or left an invalid graph; names the pass and those that had run before it."""


class UnsupportedOpError(SensenetError):
    """A backend that has neither an emitter nor a lowering rule for an op of the graph."""


class TextFormError(SensenetError, ValueError):
    """Text that is not a graph; the message begins with `line:column`."""


class ArtifactError(SensenetError):
    """A file or directory that cannot be written, or that is not an artifact of ours."""


class VerificationError(SensenetError):
    """An artifact whose answers differ from those of the graph that it was made from."""


class LimitError(SensenetError, MemoryError):
    """Something that would take more memory than the limit allows, or than the machine has."""


class ProcessError(SensenetError, RuntimeError):
    """Something that a forked process cannot do."""


class UnknownTargetError(SensenetError, ValueError):
    """A target, level or option that `compile` does not have."""


class UnknownPassError(SensenetError, ValueError):
    """A name that no pass has, or none of those that run; names the nearest, or lists them."""


class UnknownNetworkError(SensenetError, ValueError):
    """A name that no pretrained network has; the message lists the names."""


class DownloadError(SensenetError, OSError):
    """A file of the cache that cannot be had; names the file, its address and where to put it by hand."""


class MissingPackageError(SensenetError, ImportError):
    """An optional package that is not installed; the message gives the command that brings it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed: "
            f"pip install 'sensenet[{extra}]'"
        )


class BrokenPackageError(MissingPackageError):
    """An optional package that is installed and cannot be imported; the message says why, in its words."""

    def __init__(self, package: str, extra: str, purpose: str, fault: str) -> None:
        ImportError.__init__(  # not the other's message
            self,
            f"{purpose} needs the package {package!r}, which cannot be imported ({fault}): "
            f"pip install --force-reinstall 'sensenet[{extra}]'",
        )
