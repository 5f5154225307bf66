"""The application of a server, for any ASGI server: see `make_application`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sensenet.distribution import read_version
from sensenet.errors import InputError, LimitError, SensenetError, ServerBusyError
from sensenet.ir.types import Array
from sensenet.limits import limit_error
from sensenet.records import frozen
from sensenet.serve import requests, responses
from sensenet.serve.answers import Answers, answer_tensors, join_answers, predict
from sensenet.serve.batching import Batcher, Predict
from sensenet.serve.budget import Budget, Hold
from sensenet.serve.freed_memory import FreedMemory
from sensenet.serve.metrics import Metrics
from sensenet.serve.page import has_page, write_model_page, write_page
from sensenet.serve.responses import write_json
from sensenet.serve.served import Catalog, Served

log = logging.getLogger("sensenet.serve")

JSON_LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON."""

SMALL_BODY = 1 << 16
"""Up to this size in bytes, a body is read at once; others in threads, since all requests wait meanwhile."""

SMALL_ANSWER = 1 << 20
"""The same for the memory of answers."""

ROWS, IMAGE_ROWS = 1024, 16
"""The most rows of a batch by default: without and with images."""

DISCONNECTED = 499
"""The status, in metrics only, of a client that went away."""

Result = TypeVar("Result")


@frozen(kw_only=True)
class Limits:
    """What strangers may use. `seconds` is for reading a body, and again for answering it."""

    body: int = 16 << 20
    seconds: float = 60.0
    rows: int | None = None
    """The most rows of a batch, instead of ROWS and IMAGE_ROWS."""
    window: float = 0.0
    """The seconds that the first request of a batch waits for more."""


DEFAULT_LIMITS = Limits()
"""The limits of a server that is given none."""


def make_application(catalog: Catalog, limits: Limits = DEFAULT_LIMITS) -> Starlette:
    """Return the ASGI application that answers for the models of a catalog, by the protocol.

    Every error is `{"error": "…"}`, with a status of 4xx if it is the client's. All requests together take
    at most the memory limit of `sensenet.limits`; models that answer have that limit to themselves.
    """
    return _Application(catalog, limits).starlette()


class _Application:
    """The state of one application: its queues, counters and threads."""

    def __init__(self, catalog: Catalog, limits: Limits) -> None:
        self._catalog = catalog
        self._limits = limits
        self._budget = Budget()
        self._metrics = Metrics(self._budget)
        self._batchers: dict[Served, Batcher] = {}
        self._write_model_page = functools.cache(write_model_page)

    def starlette(self) -> Starlette:
        model = "/v2/models/{name}"
        versioned = model + "/versions/{version}"
        return Starlette(
            routes=[
                Route("/", self._page),
                *(Route(f"/models/{{name}}{end}", self._model_page) for end in ("", "/versions/{version}")),
                Route("/metrics", self._show_metrics),
                Route("/v2", self._server),
                Route("/v2/health/live", self._live),
                Route("/v2/health/ready", self._ready),
                *(Route(path, self._model) for path in (model, versioned)),
                *(Route(f"{path}/ready", self._model_ready) for path in (model, versioned)),
                *(Route(f"{path}/infer", self._infer, methods=["POST"]) for path in (model, versioned)),
            ],
            exception_handlers={HTTPException: _handle, SensenetError: _handle, Exception: _handle},
            lifespan=self._run,
        )

    @contextlib.asynccontextmanager
    async def _run(self, _: Starlette) -> AsyncIterator[None]:
        """Answer batches. Models of rows have a thread each; those of images share one, as they share
        memory."""
        images = ThreadPoolExecutor(1, "sensenet-images")
        freed = FreedMemory()
        executors = [images]
        tasks = []
        for served in self._catalog.all():
            if not served.reads_images:
                executors.append(ThreadPoolExecutor(1, "sensenet-rows"))
            answer = partial(predict, served.model)
            batcher = Batcher(
                partial(_answer_images, answer, freed) if served.reads_images else answer,
                images if served.reads_images else executors[-1],
                largest=self._limits.rows or (IMAGE_ROWS if served.reads_images else ROWS),
                window=self._limits.window,
                observe=partial(self._metrics.count_batch, served),
            )
            self._metrics.watch(served, batcher)
            self._batchers[served] = batcher
            tasks.append(asyncio.create_task(batcher.run()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for executor in executors:
                executor.shutdown(wait=False, cancel_futures=True)

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(write_page(self._catalog))

    async def _model_page(self, request: Request) -> Response:
        served = self._find(request)
        if not has_page(served):
            raise HTTPException(404, "there is no page of this model: pages need rows, a graph, and llvmlite")
        return HTMLResponse(await asyncio.to_thread(self._write_model_page, served))

    async def _show_metrics(self, _: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    async def _server(self, _: Request) -> Response:
        return _json({"name": "sensenet", "version": read_version(), "extensions": ["binary_tensor_data"]})

    async def _live(self, _: Request) -> Response:
        return _json({"live": True})

    async def _ready(self, _: Request) -> Response:
        return _json({"ready": True})  # models are opened before the server listens

    def _find(self, request: Request) -> Served:
        name, version = request.path_params["name"], request.path_params.get("version")
        served = self._catalog.find(name, version)
        if served is None:
            what = f"model {name[:60]!r}" + (f" of version {version[:60]!r}" if version else "")
            raise HTTPException(404, f"there is no {what}; GET / lists those that there are")
        return served

    async def _model(self, request: Request) -> Response:
        served = self._find(request)
        return _json(served.metadata(self._catalog.models[served.name]))

    async def _model_ready(self, request: Request) -> Response:
        return _json({"name": self._find(request).name, "ready": True})

    async def _infer(self, request: Request) -> Response:
        served = self._find(request)
        start = time.perf_counter()
        try:
            with self._budget.hold() as hold:
                response = await self._answer(request, served, hold)
        except Exception as error:  # counted, then reported
            response = await _handle(request, error)
        self._metrics.count_request(served, response.status_code, time.perf_counter() - start)
        return response

    async def _answer(self, request: Request, served: Served, hold: Hold) -> Response:
        """Return the response for a request to infer; `hold` counts its memory."""
        json_length = _json_length(request)
        try:
            async with asyncio.timeout(self._limits.seconds):
                body = await self._read_body(request, hold)
        except TimeoutError as error:
            raise HTTPException(
                408, f"the body did not arrive within {self._limits.seconds:g} seconds"
            ) from error
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._answer_body(request, body, json_length, served, hold)
        except TimeoutError as error:
            raise ServerBusyError(
                f"there was no answer within {self._limits.seconds:g} seconds: send fewer rows, or try later"
            ) from error

    async def _read_body(self, request: Request, hold: Hold) -> bytearray:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise HTTPException(415, "the body is compressed: send it without Content-Encoding")
        most = self._limits.body
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > most:
            raise _too_long(most)
        body = bytearray()
        async for part in request.stream():
            if len(body) + len(part) > most:
                raise _too_long(most)
            hold.add(2 * len(part), "the body")  # an array that grows is copied
            body += part
        return body

    async def _answer_body(
        self, request: Request, body: bytearray, json_length: int | None, served: Served, hold: Hold
    ) -> Response:
        in_json = len(body) if json_length is None else min(json_length, len(body))
        hold.add(
            requests.JSON_MEMORY * in_json + requests.BINARY_MEMORY * (len(body) - in_json),
            "reading the body",
        )

        def read() -> tuple[requests.Request, Any]:
            found = requests.read_request(body, json_length)
            responses.require_outputs(found, [output.name for output in served.interface.outputs])
            return found, served.interface.read_rows(found.inputs)

        asked, rows = await _run_action(read, len(body), SMALL_BODY)
        size = len(rows) * served.row_bytes
        hold.add(size, f"answering {len(rows)} rows")
        small = len(body) <= SMALL_BODY and not served.reads_images  # a small file may be a huge image
        answers = self._batchers[served].submit(rows, small=small)
        parts = await (answers if small else _unless_disconnected(request, answers))

        def write() -> responses.Response:
            tensors = answer_tensors(served.model.signature, join_answers(parts))
            return responses.write_response(asked, served.name, served.version, tensors)

        written = await _run_action(write, size, SMALL_ANSWER)
        if written.json_length is None:
            return Response(written.body, media_type="application/json")
        return Response(
            written.body,
            media_type="application/octet-stream",
            headers={JSON_LENGTH: str(written.json_length)},
        )


def _answer_images(answer: Predict, freed: FreedMemory, rows: Array) -> Answers:
    """Return the answers for rows with images, and their memory to the system."""
    try:
        return answer(rows)
    finally:
        freed.release()


async def _run_action(action: Callable[[], Result], size: int, small: int) -> Result:
    """Run an action at once if its size is small, else in a thread."""
    return action() if size <= small else await asyncio.to_thread(action)


async def _unless_disconnected(request: Request, answers: Coroutine[Any, Any, Result]) -> Result:
    """Return answers that may take long; cancel them and raise ClientDisconnect if nobody waits any more."""
    waiting = asyncio.create_task(answers)
    gone = asyncio.ensure_future(request.receive())  # the body has been read: what follows is the end
    try:
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            raise ClientDisconnect
        return waiting.result()
    finally:
        waiting.cancel()
        gone.cancel()


def _json_length(request: Request) -> int | None:
    text = request.headers.get(JSON_LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InputError(f"the header {JSON_LENGTH} is not a number of bytes")
    return int(text)


def _too_long(most: int) -> HTTPException:
    return HTTPException(413, f"the body is longer than {most} bytes: send fewer rows in a request")


def _json(value: Any, status: int = 200) -> Response:
    return Response(write_json(value), status, media_type="application/json")


async def _handle(_: Request, error: Exception) -> Response:
    """Return the response for an error: its sentence, and the status of its kind."""
    match error:
        case HTTPException():
            headers = dict(error.headers or {})
            response = _json({"error": error.detail}, error.status_code)
            response.headers.update(headers)
            return response
        case ClientDisconnect():
            return Response(status_code=DISCONNECTED)
        case ServerBusyError():
            response = _json({"error": str(error)}, 503)
            response.headers["Retry-After"] = "1"
            return response
        case LimitError():
            return _json({"error": str(error)}, 413)
        case MemoryError():
            return await _handle(_, limit_error(error))
        case InputError():
            return _json({"error": str(error)}, 400)
        case SensenetError():
            return _json({"error": str(error)}, 500)
    log.error("a request failed", exc_info=error)
    return _json({"error": "the server failed at this request; its log says how"}, 500)
