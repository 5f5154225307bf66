"""A server on the loopback address that misbehaves as told: one answer of a script a request, then honestly.

An answer is a function of a request handler; those below are the kinds of servers and of accidents.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import deque
from collections.abc import Callable
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Serves `content` at every path. `requests` are the headers of each request, in order, with `:path`."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = content
        self.script: deque[Answer] = deque()
        self.always: Answer = honest
        self.validators = {"ETag": '"v1-of-the-file"', "Last-Modified": formatdate(0, usegmt=True)}
        self.requests: list[dict[str, str]] = []
        self.lock = threading.Lock()
        self.waiting = threading.Event()  # a stalling answer has sent what it sends
        self.release = threading.Event()  # stalling answers may end

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/networks/"

    def be_s3(self) -> None:
        """Give what S3 gives: a request id, and the MD5 sum as the ETag."""
        digest = hashlib.md5(self.content).hexdigest()
        self.validators = {"ETag": f'"{digest}"', "x-amz-request-id": "B1G", "Server": "AmazonS3"}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.requests.append(
                {":path": self.path, **{k.lower(): v for k, v in self.headers.items()}}
            )
            answer = self.server.script.popleft() if self.server.script else self.server.always
        answer(self)

    def send_head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**self.server.validators, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def send_whole(self, body: bytes, **headers: str) -> None:
        self.send_head(200, Content_Length=str(len(self.server.content)), **headers)
        self.wfile.write(body)

    def asked_offset(self) -> int:
        """Where the asked range begins; 0 when none is asked or If-Range does not know this file."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        validators = (self.server.validators.get("ETag"), self.server.validators.get("Last-Modified"))
        return int(match[1]) if match and self.headers.get("If-Range") in validators else 0

    def send_rest(self, offset: int, body: bytes, **headers: str) -> None:
        size = len(self.server.content)
        range_ = headers.pop("Content_Range", f"bytes {offset}-{size - 1}/{size}")
        self.send_head(206, Content_Length=str(size - offset), Content_Range=range_, **headers)
        self.wfile.write(body)


def honest(handler: Handler) -> None:
    offset = handler.asked_offset()
    if offset:
        handler.send_rest(offset, handler.server.content[offset:])
    else:
        handler.send_whole(handler.server.content)


def without_ranges(handler: Handler) -> None:
    handler.send_whole(handler.server.content)


def truncate(count: int) -> Answer:
    """Announce the file, or the rest of it, and end the connection after `count` bytes."""

    def answer(handler: Handler) -> None:
        offset = handler.asked_offset()
        body = handler.server.content[offset : offset + count]
        if offset:
            handler.send_rest(offset, body)
        else:
            handler.send_whole(body)

    return answer


def stall(count: int) -> Answer:
    """Send `count` bytes of the file, then nothing."""

    def answer(handler: Handler) -> None:
        truncate(count)(handler)
        handler.wfile.flush()
        handler.server.waiting.set()
        handler.server.release.wait()

    return answer


def silent(handler: Handler) -> None:
    """Not even a status."""
    handler.server.release.wait()


def corrupt(handler: Handler) -> None:
    body = bytearray(handler.server.content)
    body[len(body) // 2] ^= 1
    handler.send_whole(bytes(body))


def with_headers(**headers: str) -> Answer:
    """The whole file with more headers; their names with _ for -."""
    return lambda handler: handler.send_whole(handler.server.content, **headers)


def status(code: int, **headers: str) -> Answer:
    return lambda handler: handler.send_head(code, Content_Length="0", **headers)


def partial(offset: int, **headers: str) -> Answer:
    """Status 206 with the bytes from `offset`, whatever was asked."""
    return lambda handler: handler.send_rest(offset, handler.server.content[offset:], **headers)


def redirect(handler: Handler) -> None:
    handler.send_head(302, Location=f"{handler.server.url}elsewhere", Content_Length="0")


def without_length(handler: Handler) -> None:
    handler.send_head(200)
    handler.wfile.write(handler.server.content)


def truncated_chunks(handler: Handler) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_head(200, Transfer_Encoding="chunked", Connection="close")
    content = handler.server.content
    handler.wfile.write(b"1000\r\n" + content[:0x1000] + b"\r\n1000\r\n" + content[0x1000:0x1234])
    handler.close_connection = True
