"""Errors about a document's content name its file, wherever they are raised, if it has one."""

from __future__ import annotations

import gzip
import json
import os
import pickle

import pytest
from support.documents import typed

import sensenet
from sensenet.cli.sensenet import main
from sensenet.compiler.decompile import decompile
from sensenet.errors import DocumentError, LimitError
from sensenet.frontend.strip import strip_weights
from sensenet.inspection.opening import open_source


def wrong_layer():
    document = typed()
    document["layers"][0]["type"] = "nonsense"
    return document


OPENERS = {
    "create_model": sensenet.create_model,
    "compile": sensenet.compile,
    "inspect": open_source,
    "decompile": lambda source: decompile("missing.h5", source),
}


@pytest.fixture(autouse=True)
def in_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(document, path="wrong.json"):
    with open(path, "w") as stream:
        json.dump(document, stream)
    return path


def message(function, source, kind=DocumentError):
    with pytest.raises(kind) as caught:
        function(source)
    return str(caught.value)


@pytest.mark.parametrize("open_document", OPENERS.values(), ids=list(OPENERS))
def test_a_document_without_a_network(open_document):
    assert message(open_document, write({"a": 1})).startswith("wrong.json: this document contains no deepnet")


@pytest.mark.parametrize("name", ["create_model", "compile", "inspect"])
def test_a_wrong_layer(name):
    path = write(wrong_layer())
    with pytest.raises(DocumentError) as caught:
        OPENERS[name](path)
    assert str(caught.value).startswith("wrong.json: layers[0].type: unknown layer type 'nonsense'")
    assert caught.value.path == "layers[0].type"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_weights_that_cannot_be_removed():
    document = typed()
    document["layers"][0]["weights"] = [["x"]]
    assert message(strip_weights, write(document)).startswith("wrong.json: layers[0]")


def test_a_document_that_needs_too_much_memory(monkeypatch):
    path = write(typed())

    def refuse(*_):
        raise LimitError("the layer needs 3 GiB of memory")

    monkeypatch.setattr("sensenet.frontend.network._build", refuse)
    assert message(sensenet.create_model, path, LimitError) == "wrong.json: the layer needs 3 GiB of memory"


@pytest.mark.parametrize("content", [b"{", b"", gzip.compress(b"[1]")[:-4]], ids=["cut", "empty", "gzip"])
def test_a_file_that_cannot_be_read_is_named_once(content):
    with open("wrong.json", "wb") as stream:
        stream.write(content)
    assert message(sensenet.create_model, "wrong.json").count("wrong.json") == 1


@pytest.mark.parametrize("kind", [dict, str, bytes])
def test_a_document_that_is_no_file_has_no_name(kind):
    text = json.dumps(wrong_layer())
    source = {dict: wrong_layer(), str: text, bytes: text.encode()}[kind]
    assert message(sensenet.create_model, source).startswith("layers[0].type: ")


def test_a_name_that_is_not_utf_8():
    name = os.fsdecode(b"wrong\xff.json")
    assert message(sensenet.create_model, write(wrong_layer(), name)).startswith(
        r"wrong\udcff.json: layers[0]"
    )


@pytest.mark.parametrize(
    "arguments", [["diff", "good.json", "wrong.json"], ["serve", "good.json", "wrong.json", "--port", "0"]]
)
def test_of_several_documents_the_wrong_one_is_named(arguments, capsys):
    if arguments[0] == "serve":
        for package in ("uvicorn", "starlette", "orjson", "prometheus_client"):
            pytest.importorskip(package)
    write(typed(), "good.json")
    write(wrong_layer())
    assert main(arguments) in (1, 2)
    assert "error: wrong.json: layers[0].type" in capsys.readouterr().err
