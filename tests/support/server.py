"""A server of models on loopback, in a thread, and requests of the protocol without a client."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import threading

import numpy as np

from sensenet.models.create import create_model
from sensenet.serve.served import make_catalog, serve_model

NAMES = {
    np.dtype("?"): "BOOL",
    **{np.dtype(f"i{size}"): f"INT{8 * size}" for size in (1, 2, 4, 8)},
    **{np.dtype(f"u{size}"): f"UINT{8 * size}" for size in (1, 2, 4, 8)},
    **{np.dtype(f"f{size}"): f"FP{8 * size}" for size in (2, 4, 8)},
    np.dtype(object): "BYTES",
}


INFER = "/v2/models/iris/infer"


@contextlib.contextmanager
def serving(models, **limits):
    """Serve sources by name, or what `serve_model` returns, and yield the port."""
    from sensenet.serve.application import Limits, make_application
    from sensenet.serve.server import listen, make_server

    served = [
        serve_model(create_model(model), name) if isinstance(model, dict | str) else model
        for name, model in models.items()
    ]
    server = make_server(make_application(make_catalog(served), Limits(**limits)), 30)
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join(60)
    assert not thread.is_alive()


def call(port, method, path, body=None, headers=()):
    """Return the status, headers and body of a response, of JSON its value."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.headers["content-type"] == "application/json":
        content = json.loads(content)
    return response.status, response.headers, content


def connect(port):
    """Return a connection; waiting for it takes at most a minute."""
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def head(length, path=INFER):
    """The head of a request whose body has so many bytes."""
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


def send_forever(client, content):
    """Send the same again and again, until the other side closes the connection."""
    while True:
        client.sendall(content)


def infer(port, model, inputs, **members):
    """Return the status and the value of a response to a request in JSON."""
    status, _, value = call(port, "POST", f"/v2/models/{model}/infer", body_of(inputs, **members))
    return status, value


def body_of(inputs, **members):
    """A request in JSON, of arrays or lists of text by name."""
    records = [
        {"name": name, "shape": list(array.shape), "datatype": NAMES[array.dtype], "data": array.tolist()}
        for name, array in as_arrays(inputs).items()
    ]
    return json.dumps({"inputs": records, **members}).encode()


def binary_body_of(inputs, **members):
    """A request in binary form, and the length of its JSON."""
    records, parts = [], []
    for name, array in as_arrays(inputs).items():
        data = elements_of(array) if array.dtype == object else array.tobytes()
        parts.append(data)
        records.append(
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": NAMES[array.dtype],
                "parameters": {"binary_data_size": len(data)},
            }
        )
    text = json.dumps({"inputs": records, **members}).encode()
    return b"".join([text, *parts]), len(text)


def elements_of(array):
    encoded = [each if isinstance(each, bytes) else each.encode() for each in array.reshape(-1)]
    return b"".join(struct.pack("<I", len(each)) + each for each in encoded)


def as_arrays(inputs):
    return {
        name: value if isinstance(value, np.ndarray) else np.array(value, object)
        for name, value in inputs.items()
    }


def outputs_of(value):
    """The arrays of a response in JSON, by name."""
    return {
        output["name"]: np.array(output["data"], object if output["datatype"] == "BYTES" else None).reshape(
            output["shape"]
        )
        for output in value["outputs"]
    }
