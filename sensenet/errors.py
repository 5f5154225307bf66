"""The exceptions of sensenet, all derived from `SensenetError`.

Every message says what is wrong, where (file, JSON path, row, node), what was expected, and what to do.
Subclasses also derive from the built-in exception that a caller would naturally catch.
"""

from __future__ import annotations

from typing import Any

from sensenet.distribution import install_command


class SensenetError(Exception):
    """Anything that sensenet reports about its input, its options or its environment.

    It can be pickled, so other processes receive it as it was raised, whatever its class. Its message can be
    written as UTF-8: half surrogate pairs, as names in damaged files may have them, are escaped.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*(_escape(each) if isinstance(each, str) else each for each in args))

    def _add_place(self, place: str) -> None:
        """Let the message begin with a place, such as the path of a file."""
        self.args = (_escape(f"{place}: {self}"),)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remake, (type(self), self.args, self.__dict__)


def _escape(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _remake(kind: type[SensenetError], args: tuple[Any, ...], attributes: dict[str, Any]) -> SensenetError:
    """Return a copy of an error, without its constructor, whose arguments it does not keep."""
    builtin: Any = kind
    while builtin.__module__ != "builtins":
        builtin = builtin.__base__  # the class that determines the layout of objects
    error: SensenetError = builtin.__new__(kind, *args)
    builtin.__init__(error, *args)
    error.__dict__.update(attributes)
    return error


class DocumentError(SensenetError, ValueError):
    """A BigML document that cannot be read or is invalid. `path` is the JSON path of the fault."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class SettingsError(SensenetError, ValueError):
    """An unknown setting, or an invalid value of a setting."""


class InputError(SensenetError, ValueError):
    """Rows, cells or images that a model cannot read."""


class InputTypeError(InputError, TypeError):
    """An argument of a type that is not accepted, such as a row or a path."""


class VerifyError(SensenetError):
    """A graph whose types, names or structure are inconsistent."""


class PassError(SensenetError):
    """A pass that failed or returned an invalid graph; names the pass and those that had run before it."""


class UnsupportedOpError(SensenetError):
    """An op that a target neither has nor can lower."""


class TextFormError(SensenetError, ValueError):
    """Text that is not a graph; the message begins with `line:column`."""


class ArtifactError(SensenetError):
    """A file or directory that cannot be written, or that is not an artifact of sensenet."""


class VerificationError(SensenetError):
    """An artifact whose answers differ from those of the graph that it was made from."""


class LimitError(SensenetError, MemoryError):
    """A request that would take more memory than the limit allows, or than the machine has."""


class ServerBusyError(SensenetError):
    """A request that a server refuses because others take its memory or its time; it may be repeated."""


class ProcessError(SensenetError, RuntimeError):
    """An operation that a forked process cannot do."""


class UnknownTargetError(SensenetError, ValueError):
    """An unknown target, level or option of `compile`."""


class UnknownPassError(SensenetError, ValueError):
    """An unknown pass, or one that does not run; the message suggests the nearest name, or lists all."""


class UnknownNetworkError(SensenetError, ValueError):
    """An unknown pretrained network; the message lists all names."""


class DownloadError(SensenetError, OSError):
    """A file that cannot be downloaded; names the file, its address and its place in the cache."""


class MissingPackageError(SensenetError, ImportError):
    """An optional package that is not installed; the message has the command that installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed: {install_command(extra)}"
        )


class BrokenPackageError(MissingPackageError):
    """An optional package that is installed but cannot be imported; the message includes the reason."""

    def __init__(self, package: str, extra: str, purpose: str, fault: str) -> None:
        ImportError.__init__(  # skips the message of the base class
            self,
            f"{purpose} needs the package {package!r}, which cannot be imported ({fault}): "
            f"{install_command(extra, '--force-reinstall')}",
        )
