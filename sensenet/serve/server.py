"""Runs the application on uvicorn, with limits on the connections of strangers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sensenet.errors import SettingsError

HEAD_SECONDS = 10.0
"""For the head of a request from its first byte, the first also from the connection; and for the rest of a
body that was refused."""

IDLE_SECONDS = 30
"""For the next request."""

SEND_SECONDS = 60.0
"""For the bytes of a response that the client does not read."""

LARGEST_HEAD = 1 << 16

CONNECTIONS = 512
"""The most connections; the next ones are answered 503."""


class LimitedProtocol(H11Protocol):
    """A connection that is cut if its client stalls, which uvicorn itself never does within a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._receiving: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        transport.set_write_buffer_limits(high=0)  # then `pause_writing` says that bytes wait
        super().connection_made(transport)
        self._expect_bytes()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_receiving()  # the application has limits of its own
        else:
            self._expect_bytes()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        begun = self.conn.their_state is h11.SEND_BODY or self.conn.trailing_data[0]
        if begun and self.cycle.response_complete:
            self._expect_bytes()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending = self._sending or self.loop.call_later(SEND_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_sending()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_receiving()
        self._stop_sending()
        super().connection_lost(exc)

    def _expect_bytes(self) -> None:
        self._receiving = self._receiving or self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_receiving(self) -> None:
        if self._receiving:
            self._receiving.cancel()
            self._receiving = None

    def _stop_sending(self) -> None:
        if self._sending:
            self._sending.cancel()
            self._sending = None


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise SettingsError if the address is not free or not this machine's."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(f"cannot listen at {host}:{port}: {error.strerror or error}") from error


def make_server(application: Any, drain_seconds: int) -> uvicorn.Server:
    """Return the server of an ASGI application.

    When it is stopped, it answers the requests that have begun, for so many seconds.
    """
    config = uvicorn.Config(
        application,
        http=LimitedProtocol,
        ws="none",
        lifespan="on",
        log_level="error",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS + 1,  # uvicorn refuses the connection that makes so many
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=drain_seconds,
        h11_max_incomplete_event_size=LARGEST_HEAD,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def stopped_by_sigterm(server: uvicorn.Server) -> Iterator[None]:
    """Let SIGTERM stop a server in the block, but not end the process.

    uvicorn handles it while the server runs, and raises it again at the end.
    """

    def stop(_number: int, _frame: Any) -> None:
        server.should_exit = True

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
