"""The server on loopback: what it answers, and that no client hurts it or others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from support.documents import detector, typed
from support.server import INFER, binary_body_of, body_of, call, connect, head, infer, outputs_of, serving

import sensenet
from sensenet.errors import ArtifactError
from sensenet.limits import VARIABLE
from sensenet.models.create import create_model
from sensenet.serve.served import serve_model

application = pytest.importorskip("sensenet.serve.application")
pytest.importorskip("uvicorn")

EXAMPLES = Path(__file__).parents[2] / "examples"
IRIS = str(EXAMPLES / "iris.json")
FLOWER = {"petal length": np.float32([[1.4]]), "petal width": np.float32([[0.2]])}


@pytest.fixture(scope="module")
def port():
    diabetes = create_model(EXAMPLES / "diabetes.json")
    models = {
        "iris": IRIS,
        "old": serve_model(diabetes, "diabetes", "1"),
        "new": serve_model(diabetes, "diabetes", "2"),
        "a detector, é": detector(),
    }
    with serving(models) as port:
        yield port


def test_health_and_metadata(port):
    assert call(port, "GET", "/v2/health/live")[::2] == (200, {"live": True})
    assert call(port, "GET", "/v2/health/ready")[::2] == (200, {"ready": True})
    assert call(port, "GET", "/v2/models/iris/ready")[::2] == (200, {"name": "iris", "ready": True})
    assert call(port, "GET", "/v2/models/diabetes/versions/2/ready")[0] == 200
    status, _, server = call(port, "GET", "/v2")
    assert (status, server["name"], server["version"]) == (200, "sensenet", sensenet.__version__)
    assert server["extensions"] == ["binary_tensor_data"]
    status, _, model = call(port, "GET", "/v2/models/iris")
    assert status == 200
    assert (model["name"], model["versions"], model["platform"]) == ("iris", ["1"], "sensenet")
    assert model["inputs"][2] == {"name": "petal length", "datatype": "FP32", "shape": [-1, 1]}
    assert model["outputs"][0] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 3]}
    assert call(port, "GET", "/v2/models/diabetes")[2]["versions"] == ["1", "2"]
    assert call(port, "GET", "/v2/models/a%20detector%2C%20%C3%A9/ready")[0] == 200


def test_the_page_lists_models_and_fields(port):
    status, headers, page = call(port, "GET", "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    text = page.decode()
    for part in ("iris, version 1", "diabetes, version 2", "petal length", "a detector, é", "probabilities"):
        assert part in text
    for path in set(re.findall('href="(/[^"]+)"', text)):
        assert call(port, "GET", path)[0] == 200


def test_a_model_has_a_page_that_predicts_in_the_browser(port):
    pytest.importorskip("llvmlite")
    overview = call(port, "GET", "/")[2].decode()
    assert 'href="/models/iris/versions/1"' in overview
    assert "/models/a%20detector" not in overview.replace("/v2/models/", "")
    status, headers, page = call(port, "GET", "/models/iris")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page == bytes(sensenet.compile(IRIS, "web", single_file=True))
    assert call(port, "GET", "/models/diabetes/versions/2")[0] == 200
    status, _, refusal = call(port, "GET", "/models/a%20detector%2C%20%C3%A9")
    assert (status, refusal["error"][:31]) == (404, "there is no page of this model:")
    assert call(port, "GET", "/models/nothing")[0] == 404


def test_without_llvm_models_have_no_pages(monkeypatch):
    monkeypatch.setattr("sensenet.serve.page.has_llvm", lambda: False)
    with serving({"iris": IRIS}) as port:
        assert "/models/iris/" not in call(port, "GET", "/")[2].decode().replace("/v2/models/", "")
        assert call(port, "GET", "/models/iris")[0] == 404


def test_names_in_the_page_are_text():
    hostile = typed()
    with serving({"<script>": hostile}) as port:
        page = call(port, "GET", "/")[2].decode()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_answer_is_that_of_the_model(port):
    expected = create_model(IRIS)({"petal length": 1.4, "petal width": 0.2})
    status, value = infer(port, "iris", FLOWER, id="a")
    assert status == 200
    assert (value["model_name"], value["model_version"], value["id"]) == ("iris", "1", "a")
    found = outputs_of(value)
    np.testing.assert_array_equal(found["probabilities"].astype(np.float32), expected)
    assert found["label"].tolist() == ["setosa"]


def test_an_answer_in_binary_form(port):
    body, length = binary_body_of(
        FLOWER, outputs=[{"name": "probabilities", "parameters": {"binary_data": True}}]
    )
    status, headers, content = call(port, "POST", INFER, body, {application.JSON_LENGTH: str(length)})
    assert (status, headers["content-type"]) == (200, "application/octet-stream")
    json_length = int(headers[application.JSON_LENGTH])
    (output,) = json.loads(content[:json_length])["outputs"]
    assert output["parameters"] == {"binary_data_size": 12}
    expected = create_model(IRIS)({"petal length": 1.4, "petal width": 0.2})
    np.testing.assert_array_equal(np.frombuffer(content[json_length:], "<f4"), expected[0])


def test_large_requests_are_answered_in_parts(port):
    numbers = np.random.default_rng(0).uniform(0, 7, (5000, 1)).astype(np.float32)
    status, value = infer(port, "iris", {"petal length": numbers})
    assert status == 200
    expected = create_model(IRIS)([{"petal length": float(number)} for number in numbers[:, 0]])
    np.testing.assert_array_equal(outputs_of(value)["probabilities"].astype(np.float32), expected)


ERRORS = {
    "no such page": ("GET", "/nothing", None, {}, 404),
    "no such model": ("GET", "/v2/models/rose", None, {}, 404),
    "no such version": ("GET", "/v2/models/iris/versions/2", None, {}, 404),
    "inference without such a model": ("POST", "/v2/models/rose/infer", b"{}", {}, 404),
    "a path": ("GET", "/v2/models/..%2F..%2Fetc%2Fpasswd", None, {}, 404),
    "another method": ("GET", INFER, None, {}, 405),
    "no JSON": ("POST", INFER, b"hello", {}, 400),
    "no body": ("POST", INFER, None, {}, 400),
    "an unknown field": ("POST", INFER, body_of({"petal": np.float32([1])}), {}, 400),
    "a bad cell": ("POST", INFER, body_of({"petal length": ["long"]}), {}, 400),
    "an unknown output": ("POST", INFER, body_of(FLOWER, outputs=[{"name": "x"}]), {}, 400),
    "compressed": ("POST", INFER, b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415),
    "a length that is none": ("POST", INFER, body_of(FLOWER), {application.JSON_LENGTH: "-1"}, 400),
    "a length beyond the body": ("POST", INFER, body_of(FLOWER), {application.JSON_LENGTH: "99999"}, 400),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_are_sentences_in_json(port, case):
    method, path, body, headers, expected = ERRORS[case]
    status, _, value = call(port, method, path, body, headers)
    assert status == expected
    assert [*value] == ["error"]
    assert value["error"]
    assert infer(port, "iris", FLOWER)[0] == 200


def test_bodies_are_limited_whether_announced_or_not():
    with serving({"iris": IRIS}, body=10_000) as port:
        announced = body_of({"petal length": np.zeros(5000, np.float32)})
        status, _, value = call(port, "POST", INFER, announced)
        assert (status, value["error"][:14]) == (413, "the body is lo")
        status, _, value = call(port, "POST", INFER, iter([b" " * 6000] * 3))  # chunks
        assert status == 413
        assert infer(port, "iris", FLOWER)[0] == 200


def test_a_client_that_announces_too_much_need_not_send_it():
    with serving({"iris": IRIS}, body=10_000) as port, connect(port) as client:
        client.sendall(head(10**15))
        assert read_status(client) == 413


def test_memory_is_limited(monkeypatch):
    monkeypatch.setenv(VARIABLE, "2MiB")
    with serving({"iris": IRIS}) as port:
        status, value = infer(port, "iris", {"petal length": np.ones(10_000, np.bool_)})
        assert status == 413
        assert VARIABLE in value["error"]
        status, _, value = call(port, "POST", INFER, b"[" + b"0," * 50_000 + b"0]")
        assert status == 413
        assert infer(port, "iris", FLOWER)[0] == 200


def test_a_request_waits_for_no_memory_that_others_hold(monkeypatch):
    monkeypatch.setenv(VARIABLE, "1MiB")
    with serving({"iris": IRIS}) as port, connect(port) as other:
        other.sendall(head(500_000) + b" " * 400_000)
        while "sensenet_held_bytes 800000.0" not in (metrics := read_metrics(port)):
            assert "sensenet_held_bytes" in metrics
        body = body_of({"petal length": np.ones(1000, np.bool_)})
        status, headers, value = call(port, "POST", INFER, body)
        assert (status, headers["retry-after"]) == (503, "1")
        assert "try again later" in value["error"]
    # what the client held is free again as soon as it has gone


def read_metrics(port):
    return call(port, "GET", "/metrics")[2].decode()


def read_status(client):
    with client.makefile("rb") as stream:
        line = stream.readline()
    return int(line.split()[1]) if line else None


def test_clients_that_go_away_hurt_no_one():
    with serving({"iris": IRIS}) as port:
        body = body_of(FLOWER)
        for part in (b"", b"POST", head(100)[:30], head(len(body)), head(len(body)) + body[:10]):
            with connect(port) as client:
                client.sendall(part)
        for _ in range(20):  # after the request, before the response
            with connect(port) as client:
                client.sendall(head(len(body)) + body)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # reset
        assert infer(port, "iris", FLOWER)[0] == 200
        while "sensenet_held_bytes 0.0" not in (metrics := read_metrics(port)):
            assert "sensenet_held_bytes" in metrics


@pytest.mark.parametrize(
    "text",
    [
        b"\0\1\2\3\r\n\r\n",
        b"GET /\r\n\r\n",
        head(-1),
        head(3).replace(b"\r\n\r\n", b"\r\nContent-Length: 4\r\n\r\n") + b"abc",
        head(3).replace(b"Content-Length: 3", b"Transfer-Encoding: chunked") + b"zz\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET /%ff%fe%00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(port, text):
    with connect(port) as client:
        client.sendall(text)
        assert read_status(client) in (400, 404)
    assert infer(port, "iris", FLOWER)[0] == 200


def test_a_body_that_does_not_arrive_is_given_up():
    with serving({"iris": IRIS}, seconds=0.05) as port, connect(port) as client:
        client.sendall(head(100) + b"{")
        assert read_status(client) == 408


class Slow:
    """Holds all calls of a model back."""

    def __init__(self, monkeypatch):
        self.begun, self.gate = threading.Semaphore(0), threading.Event()
        usual = application.predict

        def predict(model, rows):
            self.begun.release()
            assert self.gate.wait(60)
            return usual(model, rows)

        monkeypatch.setattr(application, "predict", predict)


def test_an_answer_that_takes_too_long_is_given_up(monkeypatch):
    slow = Slow(monkeypatch)
    with serving({"iris": IRIS}, seconds=0.05) as port:
        status, value = infer(port, "iris", FLOWER)
        assert status == 503
        assert value["error"].startswith("there was no answer within 0.05 seconds")
        assert call(port, "GET", "/v2/health/live")[0] == 200
        slow.gate.set()


def test_what_nobody_waits_for_is_not_computed(monkeypatch):
    slow = Slow(monkeypatch)
    monkeypatch.setattr(application, "SMALL_BODY", 0)  # as if computing took long
    waits = 'sensenet_waiting_rows{model="iris",version="1"} 1.0'
    gone = 'sensenet_requests_total{model="iris",status="499",version="1"} 1.0'
    with serving({"iris": IRIS}) as port:
        thread = threading.Thread(target=infer, args=(port, "iris", FLOWER))
        thread.start()
        assert slow.begun.acquire(timeout=60)
        with connect(port) as client:
            body = body_of(FLOWER)
            client.sendall(head(len(body)) + body)
            while waits not in (metrics := read_metrics(port)):
                assert "sensenet_waiting_rows" in metrics
        while gone not in (metrics := read_metrics(port)):
            assert "sensenet_requests" in metrics
        slow.gate.set()
        thread.join()
        assert infer(port, "iris", FLOWER)[0] == 200
    assert slow.begun.acquire(blocking=False)  # that of the last request
    assert not slow.begun.acquire(blocking=False)


def test_a_fault_of_the_model_is_500_and_tells_strangers_nothing(monkeypatch, caplog):
    faults = iter([ArtifactError("the model is wrong"), ZeroDivisionError("secret")])

    def predict(model, rows):
        raise next(faults)

    monkeypatch.setattr(application, "predict", predict)
    with serving({"iris": IRIS}) as port, caplog.at_level(logging.ERROR):
        assert infer(port, "iris", FLOWER) == (500, {"error": "the model is wrong"})
        status, value = infer(port, "iris", FLOWER)
    assert status == 500
    assert "secret" not in value["error"]
    assert "secret" in caplog.text


async def exchange(port, body, times):
    """The responses of one client, over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    for _ in range(times):
        writer.write(head(len(body)) + body)
        received = await reader.readuntil(b"\r\n\r\n")
        length = int(re.search(rb"content-length: (\d+)", received)[1])
        found.append((int(received.split()[1]), json.loads(await reader.readexactly(length))))
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return found


def test_200_clients_at_once(port):
    lengths = np.random.default_rng(0).uniform(0, 7, 200).astype(np.float32)
    expected = create_model(IRIS)([{"petal length": float(number)} for number in lengths])

    async def run():
        bodies = [
            body_of({"petal length": ["long"] if number % 10 == 9 else lengths[number : number + 1]})
            for number in range(200)
        ]
        return await asyncio.gather(*(exchange(port, body, 5) for body in bodies))

    for number, responses in enumerate(asyncio.run(run())):
        for status, value in responses:
            if number % 10 == 9:
                assert status == 400
                assert "row 0" in value["error"]
            else:
                assert status == 200
                found = outputs_of(value)["probabilities"].astype(np.float32)
                np.testing.assert_array_equal(found[0], expected[number])


def test_requests_that_wait_share_a_batch(monkeypatch):
    slow = Slow(monkeypatch)
    with serving({"iris": IRIS}) as port:
        threads = [threading.Thread(target=infer, args=(port, "iris", FLOWER)) for _ in range(9)]
        threads[0].start()
        assert slow.begun.acquire(timeout=60)
        for thread in threads[1:]:
            thread.start()
        while 'sensenet_waiting_rows{model="iris",version="1"} 8.0' not in (metrics := read_metrics(port)):
            assert "sensenet_waiting_rows" in metrics
        slow.gate.set()
        for thread in threads:
            thread.join()
        counted = read_metrics(port)
    assert 'sensenet_batch_rows_count{model="iris",version="1"} 2.0' in counted
    assert 'sensenet_batch_rows_sum{model="iris",version="1"} 9.0' in counted
    assert 'sensenet_requests_total{model="iris",status="200",version="1"} 9.0' in counted
