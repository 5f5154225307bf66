"""Pages of localhost in Chromium, which Node drives."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import subprocess
import threading
from pathlib import Path

from support.javascript import install

DRIVER = Path(__file__).parents[1] / "browser" / "drive.mjs"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(root):
    """Serve a directory, and yield its URL."""
    handler = functools.partial(QuietHandler, directory=root)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def drive(executable, page, requests):
    """What the page's `predict` answers to each request."""
    install()  # Playwright is among the packages of tests/js
    given = json.dumps({"executable": executable, "page": page, "requests": requests})
    command = ["node", str(DRIVER)]
    result = subprocess.run(
        command, input=given, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
