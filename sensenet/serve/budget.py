"""The memory that all requests together may take: that of `sensenet.limits`."""

from __future__ import annotations

from types import TracebackType

from sensenet.errors import ServerBusyError
from sensenet.limits import format_size, memory_limit, require_memory


class Budget:
    """Counts the bytes that requests hold; `limit` is the most."""

    def __init__(self, limit: int | None = None) -> None:
        self.limit = memory_limit() if limit is None else limit
        self.held = 0

    def hold(self) -> Hold:
        """Return what one request holds: nothing at first."""
        return Hold(self)


class Hold:
    """The bytes that a request holds, until its block ends."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0

    def add(self, size: int, what: str) -> None:
        """Hold more bytes, for `what`.

        Raises LimitError if that is more than the limit, ServerBusyError if other requests hold too much.
        """
        require_memory(self._size + size, what)
        if self._budget.held + size > self._budget.limit:
            raise ServerBusyError(
                f"the requests that are being answered take {format_size(self._budget.held)} of memory: "
                "try again later"
            )
        self._size += size
        self._budget.held += size

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        self._budget.held -= self._size
        self._size = 0
