"""Whatever is done to a document, importing it gives a sound graph or a SensenetError."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.documents import DOCUMENTS

from sensenet.errors import SensenetError
from sensenet.frontend import import_graph
from sensenet.ir.evaluate import evaluate
from sensenet.ir.graph import same_graph
from sensenet.ir.verify import verify

JUNK = (
    *(None, True, False, 0, -1, 3, 2.5, 1e39, 1e308, -1e-320, 10**30),
    *("", "relu", "glorot_uniform", "ones", "dense", "\ud800", "yolo"),
    *([], {}, [[]], [0], [1, 2], [[1, 2], [3]], [[1, 2], [3, [4]]], [[0.5], None], {"type": "dense"}),
)
"""Values of every JSON type, most of them wrong wherever they stand."""


def places(value):
    """Every (container, key) of a document."""
    found, pending = [], [value]
    while pending:
        container = pending.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], dict | list):
                pending.append(container[key])
    return found


def structural(value):
    """Those that are no single weight: most mutations should not be of one number among hundreds."""
    return [
        (container, key)
        for container, key in places(value)
        if not isinstance(container, list) or not isinstance(container[key], float)
    ]


@st.composite
def mutated_documents(draw):
    """A document of some kind with one to three changes."""
    document = DOCUMENTS[draw(st.sampled_from(sorted(DOCUMENTS)))]()
    for _ in range(draw(st.integers(1, 3))):
        choose = draw(st.sampled_from([places, structural]))
        where = choose(document)
        if not where:
            break
        container, key = where[draw(st.integers(0, len(where) - 1))]
        match draw(st.sampled_from(["delete", "replace", "duplicate", "wrap"])):
            case "delete":
                del container[key]
            case "replace":
                container[key] = copy.deepcopy(draw(st.sampled_from(JUNK)))
            case "duplicate" if isinstance(container, list):
                container.insert(key, container[key])
            case "wrap":
                container[key] = [container[key]]
    return document


def imported(source, settings=None):
    """The graph, sound and ready to answer, or the message of the error."""
    try:
        graph = import_graph(source, settings)
    except SensenetError as error:
        str(error).encode()  # the message can be printed
        return str(error)
    verify(graph)
    inputs = {}
    for node in graph.inputs:
        _, *sizes = node.types[0].shape
        inputs[node.name] = np.ones([1, *(size or 7 for size in sizes)], np.float32)
    evaluate(graph, inputs)
    return graph


@given(mutated_documents(), st.sampled_from([None, {"extract_image_features": True}]))
def test_mutated_dict(document, settings):
    imported(document, settings)


@given(mutated_documents())
def test_text_means_what_the_dict_means(document):
    text = json.dumps(document)
    from_dict = imported(json.loads(text))
    from_text = imported(text)
    if isinstance(from_dict, str) or isinstance(from_text, str):
        assert from_text == from_dict
    else:
        assert same_graph(from_dict, from_text)


@given(st.sampled_from(sorted(DOCUMENTS)), st.data())
def test_cut_text(kind, data):
    text = json.dumps(DOCUMENTS[kind]()).encode()
    cut = data.draw(st.integers(0, len(text) - 1))
    assert isinstance(imported(text[:cut]), str)


@given(st.sampled_from(sorted(DOCUMENTS)), st.data())
def test_changed_bytes(kind, data):
    text = bytearray(json.dumps(DOCUMENTS[kind]()).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(text) - 1))
        text[position] = data.draw(st.sampled_from(b'[]{}",:0-e.nN \\\xff\x00'))
    imported(bytes(text))


@given(st.binary(max_size=40))
def test_binary_junk(junk):
    assert isinstance(imported(junk), str)
    assert isinstance(imported(b"\x1f\x8b" + junk), str)


@given(st.text(max_size=20))
def test_any_text(text):
    assert isinstance(imported(text), str)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_unchanged_documents_import(kind):
    assert not isinstance(imported(DOCUMENTS[kind]()), str)
