"""Downloads one file over HTTP: resumes interrupted downloads, retries with growing delays, and verifies.

The received bytes are next to the destination, in `.NAME.part`, and the server's description of the file is
in `.NAME.part.json`. A later call, also in another process, continues from there if the server still has the
same file. The caller must ensure that no two processes download to one destination at once.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import attrs

from sensenet.pretrained.addresses import hide_credentials
from sensenet.pretrained.checksum import DIGEST_BYTES, Checksum, announced_checksum
from sensenet.pretrained.requests import (
    PassingError,
    RangeRefusedError,
    TransferError,
    open_url,
)
from sensenet.progress import Progress
from sensenet.records import frozen

PIECE_BYTES = 1 << 16
LARGEST_FILE = 2 << 30
"""The most bytes of a file. The largest network has 260 MB."""
CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@frozen(kw_only=True)
class Patience:
    """The number of tries, and the time to wait between and during them."""

    attempts: int = 5
    first_delay: float = 0.5
    """Seconds between the first two tries; doubled after each further try."""
    longest_delay: float = 30.0
    stall: float = 20.0
    """Seconds without a byte after which a connection counts as broken."""
    longest: float = 3600.0
    """Seconds for all tries together, so that a very slow server is given up."""

    def delay(self, failures: int, wanted: float) -> float:
        """Return the seconds to wait after a number of failures, at least the `wanted` ones.

        They are random, so that clients do not all return at the same time.
        """
        doubled = min(self.longest_delay, self.first_delay * 2.0 ** (failures - 1))
        return max(doubled * random.uniform(0.5, 1.0), min(wanted, self.longest_delay))


@frozen(kw_only=True)
class Origin:
    """The server's description of a file, from the response with its first byte."""

    url: str
    etag: str | None
    last_modified: str | None
    size: int | None
    checksum: Checksum | None

    @property
    def validator(self) -> str | None:
        """The value for If-Range: a strong ETag, else the date; None if the server sent neither."""
        strong = self.etag is not None and not self.etag.startswith("W/")
        return self.etag if strong else self.last_modified


def _origin(url: str, response: HTTPResponse) -> Origin:
    headers = response.headers
    length = headers.get("Content-Length", "")
    return Origin(
        url=hide_credentials(url),
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        size=int(length) if length.isdecimal() else None,
        checksum=announced_checksum(headers),
    )


def _is_plausible(origin: Origin) -> bool:
    """Return whether a record's values are valid: another program may have written it."""
    texts = (origin.url, origin.etag or "", origin.last_modified or "")
    checksum = origin.checksum
    return (
        all(isinstance(text, str) and text.isprintable() and text.isascii() for text in texts)
        and (origin.size is None or type(origin.size) is int)
        and (checksum is None or checksum.algorithm in DIGEST_BYTES)
    )


@frozen
class _Part:
    """The received bytes, and the record of their origin."""

    path: Path

    @property
    def record(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def begin(self, origin: Origin) -> None:
        """Start without bytes from that origin. The record is written first, so bytes always belong to it."""
        self.discard()
        self.record.write_text(json.dumps(attrs.asdict(origin)), encoding="utf-8")
        self.path.touch()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def origin(self) -> Origin | None:
        """Return the origin of the bytes; None if there are none or the record is unreadable."""
        try:
            known: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8"))
            checksum = known.pop("checksum")
            origin = Origin(**known, checksum=Checksum(**checksum) if checksum else None)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None
        return origin if self.path.is_file() and _is_plausible(origin) else None

    def size(self) -> int:
        return self.path.stat().st_size


def download(
    url: str,
    destination: Path,
    *,
    smallest: int,
    progress: Progress,
    patience: Patience | None = None,
    sleep: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Download the file at `url` to `destination`, complete and verified, or leave that path unchanged.

    The size, in bytes, must be the one that the server announces, at least `smallest` and at most
    LARGEST_FILE; the checksum must be the announced one, if any. Raises TransferError, or OSError if the file
    cannot be written.
    """
    patience = patience or Patience()
    part = _Part(destination.with_name(f".{destination.name}.part"))
    failures = 0
    within = _limit_time(progress, patience.longest, clock)
    while True:
        try:
            origin = _receive(url, part, patience.stall, within)
            _check(part, origin, smallest)
            break
        except PassingError as fault:
            failures += 1
            if failures >= patience.attempts:
                raise TransferError(f"{fault} (tried {failures} times)") from fault
            sleep(patience.delay(failures, fault.delay))
    os.replace(part.path, destination)
    part.discard()


def _limit_time(progress: Progress, longest: float, clock: Callable[[], float]) -> Progress:
    """Return a function that shows progress, and raises TransferError after `longest` seconds."""
    end = clock() + longest

    def show(done: int, total: int | None) -> None:
        if clock() > end and done != total:
            raise TransferError(f"it took over {longest:.0f} seconds; the next try continues at {done} bytes")
        progress(done, total)

    return show


def _receive(url: str, part: _Part, stall: float, progress: Progress) -> Origin:
    """Receive the missing bytes, and return their origin. Raises PassingError or TransferError."""
    known = part.origin()
    if known is None or known.url != hide_credentials(url) or known.validator is None:
        return _receive_whole(url, part, stall, progress)
    if known.size is not None and known.size <= part.size():
        return known  # complete: the last process ended before it could verify
    if part.size() == 0:
        return _receive_whole(url, part, stall, progress)
    return _receive_rest(url, part, known, stall, progress)


def _receive_whole(url: str, part: _Part, stall: float, progress: Progress) -> Origin:
    with open_url(url, {}, stall) as response:
        _expect_status(response, HTTPStatus.OK)
        return _store_whole(url, part, response, progress)


def _receive_rest(url: str, part: _Part, known: Origin, stall: float, progress: Progress) -> Origin:
    wanted = {"Range": f"bytes={part.size()}-", "If-Range": str(known.validator)}
    try:
        response = open_url(url, wanted, stall)
    except RangeRefusedError as fault:
        part.discard()
        raise PassingError(str(fault)) from fault
    with response:
        if response.status == HTTPStatus.OK:  # the file has changed, or the server does not support ranges
            return _store_whole(url, part, response, progress)
        _expect_status(response, HTTPStatus.PARTIAL_CONTENT)
        if not _continues(response, part.size(), known):
            part.discard()
            raise PassingError("the server sent another part of the file, or part of another file")
        _store(part, response, known.size, progress)
    return known


def _continues(response: HTTPResponse, offset: int, known: Origin) -> bool:
    """Return whether the response begins at `offset` of the file that `known` describes."""
    match = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != offset:
        return False
    same_size = known.size is None or match[2] in ("*", str(known.size))
    return same_size and response.headers.get("ETag") in (None, known.etag)


def _expect_status(response: HTTPResponse, status: HTTPStatus) -> None:
    if response.status != status:
        raise PassingError(f"the server answered {response.status} {response.reason}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise TransferError("the server sent the file compressed, which was not requested")


def _store_whole(url: str, part: _Part, response: HTTPResponse, progress: Progress) -> Origin:
    origin = _origin(url, response)
    if origin.size is not None and origin.size > LARGEST_FILE:
        raise TransferError(f"the server has a file of {origin.size} bytes, too many for a network")
    part.begin(origin)
    _store(part, response, origin.size, progress)
    return origin


def _store(part: _Part, response: HTTPResponse, size: int | None, progress: Progress) -> None:
    done = part.size()
    with part.path.open("ab") as file:
        for piece in _pieces(response):
            done += len(piece)
            if done > LARGEST_FILE:
                part.discard()
                raise TransferError(f"the server sends over {LARGEST_FILE} bytes, too many for a network")
            file.write(piece)
            progress(done, size)
        file.flush()
        os.fsync(file.fileno())
    if size is not None and done < size:
        raise PassingError(f"the connection ended after {done} of {size} bytes")


def _pieces(response: HTTPResponse) -> Iterator[bytes]:
    """Yield the bytes of a response as they arrive. Only errors of the connection become PassingError."""
    while True:
        try:
            piece = response.read1(PIECE_BYTES)
        except TimeoutError as fault:
            raise PassingError("the server stopped sending") from fault
        except (OSError, HTTPException) as fault:
            raise PassingError(f"the connection broke: {fault}") from fault
        if not piece:
            return
        yield piece


def _check(part: _Part, origin: Origin, smallest: int) -> None:
    size = part.size()
    if size < smallest:
        part.discard()
        raise TransferError(f"the server has a file of {size} bytes, but a network has at least {smallest}")
    if origin.size is not None and size != origin.size:
        part.discard()
        raise PassingError(f"received {size} bytes, but the server had announced {origin.size}")
    if origin.checksum is not None and not origin.checksum.matches(part.path):
        part.discard()
        raise PassingError(
            f"the received file does not have the announced {origin.checksum.algorithm} checksum"
        )
