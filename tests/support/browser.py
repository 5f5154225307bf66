"""Pages of localhost in a browser, which Node drives."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import subprocess
import threading
from pathlib import Path

from support.javascript import install

BROWSER = Path(__file__).parents[1] / "browser"


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Answers pages of other servers too, as a CDN does."""

    def end_headers(self):
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()

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
    return _run("drive.mjs", {"executable": executable, "page": page, "requests": requests})


def look(executable, page, steps, **window):
    """The answers of the steps that a reader takes on a page, which must not complain."""
    seen = look_at_all(executable, page, steps, **window)
    assert seen["complaints"] == []
    return seen["answers"]


def look_at_all(executable, page, steps, **window):
    """The answers of the steps, and the complaints; `window` has width, height, scheme, motion, zoom.

    See look.mjs and launch.mjs.
    """
    return _run("look.mjs", {"executable": executable, "page": page, "steps": steps, **window})


def _run(script, given):
    install()  # Puppeteer is among the packages of tests/js
    result = subprocess.run(
        ["node", str(BROWSER / script)],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
