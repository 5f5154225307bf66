"""What is measured against other runtimes that do the same work in this Python: LiteRT, onnxruntime, laminar.

All but laminar run the file that this package writes for them, and get what the network reads: numbers that
this package has made of a caller's cells, untimed.
"""

from __future__ import annotations

from typing import Any

from benchmarks.published.work import BINDINGS, LITERT, ONNXRUNTIME, Run, Work
from benchmarks.published.works import IMAGES, NUMERIC, TABLE, call, command, network_writer, products

ROW, ROWS, MILLION = ("row.json", 2000), ("rows.json", 5), ("million.npy", 5)
"""What is read, and how often it is answered."""

PIXELS = ("pixels.npy", 30)


def _given(document: str, read: tuple[str, int]) -> dict[str, Any]:
    return {"document": f"{{}}/{document}.json", "x": f"{{}}/{read[0]}", "repeats": read[1]}


def _litert(document: str, read: tuple[str, int], threads: int | None = None) -> Run:
    given = {"model": f"{{}}/{document}-command.tflite", "threads": threads}
    return Run("litert", given | _given(document, read), before=command(document, "tflite"))


def _onnxruntime(document: str, read: tuple[str, int]) -> Run:
    given = {"model": f"{{}}/{document}-command.onnx"}
    return Run("onnxruntime", given | _given(document, read), before=command(document, "onnx"))


def _laminar(x: str, repeats: int) -> Run:
    return Run("laminar", _given("mixed", (x, repeats)))


ONE, MANY, ARRAY = call("mixed", *ROW, 100), call("mixed", *ROWS), call("numeric", *MILLION)

RUNTIME_WORKS = (
    Work("a row, LiteRT's invoke", TABLE, ONE, _litert("mixed", ROW, threads=1), 0.5, peer=LITERT),
    Work("a row, onnxruntime", TABLE, ONE, _onnxruntime("mixed", ROW), 1, peer=ONNXRUNTIME),
    Work("a row, laminar", TABLE, ONE, _laminar("row.json", 200), 1, peer=BINDINGS),
    Work("20,000 rows, onnxruntime", TABLE, MANY, _onnxruntime("mixed", ROWS), None, peer=ONNXRUNTIME),
    Work("20,000 rows, laminar", TABLE, MANY, _laminar("rows.json", 1), 1, peer=BINDINGS),
    Work(
        "1,000,000 rows, onnxruntime",
        NUMERIC,
        ARRAY,
        _onnxruntime("numeric", MILLION),
        1,
        amount=1_000_000,
        peer=ONNXRUNTIME,
    ),
    *(
        Work(
            f"pixels, {network}, LiteRT's invoke",
            (*IMAGES, network_writer(network)),
            call(network, *PIXELS, 3),
            _litert(network, PIXELS),
            1 / 1.1,
            limits=(products(network),),
            peer=LITERT,
        )
        for network in ("mobilenetv2", "resnet50")
    ),
)
