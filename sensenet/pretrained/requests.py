"""Sends HTTP requests, with safe redirects and private credentials, and classifies their errors."""

from __future__ import annotations

import base64
import ssl
import urllib.error
import urllib.request
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import IO
from urllib.parse import unquote, urlsplit

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""The statuses after which a later try may succeed."""
RANGE_REFUSALS = frozenset({400, 412, 416, 501})
"""The statuses by which servers refuse to send the rest of a file; then the whole file is requested."""

AUTHORIZATION = "Authorization"
SCHEMES = ("http", "https")


class TransferError(Exception):
    """Raised if the file cannot be downloaded; the message is the reason."""


class PassingError(Exception):
    """Raised if a try failed and a later one may succeed, after the server's `delay` in seconds."""

    def __init__(self, message: str, delay: float = 0.0) -> None:
        super().__init__(message)
        self.delay = delay


class RangeRefusedError(Exception):
    """Raised if the server refuses a request for a part of the file."""


def open_url(url: str, headers: dict[str, str], stall: float) -> HTTPResponse:
    """Return the response to a request, with a status of 2xx, after following redirects.

    The name and password in the address are sent only to its host. Proxies are those of the environment.
    `stall` is the timeout in seconds. Raises PassingError, TransferError, or RangeRefusedError if the headers
    have a range.
    """
    always = {
        "User-Agent": "sensenet",
        "Accept-Encoding": "identity",
        "x-amz-checksum-mode": "ENABLED",  # S3 sends checksums only on request
    }
    opener = urllib.request.build_opener(_Redirections)
    try:
        plain, credentials = _split_credentials(url)
        request = urllib.request.Request(plain, headers={**always, **credentials, **headers})
        response: HTTPResponse = opener.open(request, timeout=stall)
    except urllib.error.HTTPError as fault:
        with fault:
            raise _refusal(fault, ranged="Range" in headers) from fault
    except urllib.error.URLError as fault:
        if isinstance(fault.reason, ssl.SSLCertVerificationError):
            raise TransferError(f"the server's certificate is not valid: {fault.reason}") from fault
        raise PassingError(f"the server cannot be reached: {fault.reason}") from fault
    except TimeoutError as fault:
        raise PassingError("the server does not answer") from fault
    except (OSError, HTTPException) as fault:
        raise PassingError(f"the connection broke: {fault}") from fault
    except ValueError as fault:
        raise TransferError(f"the address cannot be used: {fault}") from fault
    return response


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows redirects to HTTP and HTTPS, but not from HTTPS to an unencrypted connection."""

    def redirect_request(  # noqa: PLR0917
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.scheme not in SCHEMES or (old.scheme == "https" and new.scheme != "https"):
            raise TransferError(
                f"the server redirects from {old.scheme} to {new.scheme or 'nowhere'}, which is not followed"
            )
        request = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if request is not None and (old.scheme, old.netloc) != (new.scheme, new.netloc):
            request.remove_header(AUTHORIZATION)
        return request


def _split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """Return an address without name and password, and the headers that contain these."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url, {}
    pair, _, host = parts.netloc.rpartition("@")
    name, _, password = pair.partition(":")
    encoded = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
    return parts._replace(netloc=host).geturl(), {AUTHORIZATION: f"Basic {encoded}"}


def _refusal(fault: urllib.error.HTTPError, ranged: bool) -> Exception:
    answer = f"the server answered {fault.code} {fault.reason}"
    if fault.code in PASSING_STATUSES:
        after = fault.headers.get("Retry-After", "") if fault.headers else ""
        return PassingError(answer, float(after) if after.isdecimal() else 0.0)
    if ranged and fault.code in RANGE_REFUSALS:
        return RangeRefusedError(answer)
    return TransferError(answer)
