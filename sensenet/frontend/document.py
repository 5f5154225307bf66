"""Reads documents from sources of all kinds, and finds the network in them (SPEC §1)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from sensenet.errors import DocumentError, LimitError
from sensenet.frontend.fields import member, read_categories, read_conventions, read_field, read_objective
from sensenet.frontend.json.cursor import Cursor, describe, list_keys, quote
from sensenet.frontend.json.reader import RESOURCE, read_bytes, read_file
from sensenet.records import frozen
from sensenet.signature import Field

ENVELOPES = (("object", "deepnet", "network"), ("deepnet", "network"), ("model", "network"), ("network",))
"""The paths at which a network is searched for, in this order; then the document itself."""

FINISHED = 5
"""The code of the status of a resource that BigML has made. Codes below 0 are errors, others progress."""

NETWORK_KEYS = ("layers", "networks")
"""An object with one of these members is a network."""


@frozen(kw_only=True, eq=False, repr=False)
class Document:
    """A document: its value, and a cursor at the network in it. `file` is its path, if it has one.

    `input_fields` are the fields of a row's cells, in order, if the resource describes all of them;
    `missing_tokens` are the texts that mean missing values, `categories` those of the objective in its order.
    """

    root: Mapping[str, Any]
    network: Cursor
    file: str = ""
    name: str = ""
    description: str = ""
    input_fields: tuple[Field, ...] = ()
    objective: Field | None = None
    missing_tokens: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


def read_document(source: Any) -> Document:
    """Return the document in a source, which may be anything that `read_source` accepts.

    Raises DocumentError if it cannot be read, or has no network.
    """
    root = read_source(source)
    file = os.fsdecode(source) if _is_path(source) else ""
    with errors_naming(file):
        return attrs.evolve(find_network(root), file=file)


@contextlib.contextmanager
def errors_naming(file: str) -> Iterator[None]:
    """Let errors about a document's content begin with the path of its file, if it has one."""
    try:
        yield
    except (DocumentError, LimitError) as error:
        if file:
            error._add_place(file)
        raise


def read_source(source: Any) -> Any:
    """Return the value in a source; if it is read from text, weights are arrays.

    A source is a dict, a path to a `.json` or `.json.gz` file, JSON text (a str that begins with a brace or
    bracket), or bytes. Raises DocumentError if it cannot be read.
    """
    if isinstance(source, dict):
        return source
    if isinstance(source, bytes | bytearray | memoryview):
        return read_bytes(bytes(source))
    if _is_path(source):
        return read_file(source)
    if isinstance(source, str):
        text = _without_start(source)
        if not text:
            raise DocumentError("the document is an empty text")
        return read_bytes(text.encode(errors="surrogatepass"))
    raise DocumentError(
        f"expected a document as a dict, a path, bytes or JSON text; found {describe(source)}"
    )


def _is_path(source: Any) -> bool:
    """Return whether a source is a path, and not a document as text."""
    if isinstance(source, str):
        return _without_start(source)[:1] not in ("{", "[", "")
    return isinstance(source, os.PathLike)


def _without_start(text: str) -> str:
    return text.removeprefix("\ufeff").lstrip()


def find_network(value: Any) -> Document:
    """Return the document in a value; raise DocumentError, naming the keys, if it has no network."""
    root = Cursor(value)
    if not isinstance(value, dict):
        raise root.error(f"expected a JSON object as document, found {describe(value)}")
    network = next((inner for keys in ENVELOPES if (inner := _descend(root, keys))), None)
    if network is None and any(key in value for key in NETWORK_KEYS):
        network = root
    if network is None:
        if reason := _explain_missing_network(value):
            raise root.error(reason)
        places = ", ".join(".".join(keys) for keys in ENVELOPES)
        raise root.error(
            f"this document contains no deepnet: expected an object at {places}, or a member "
            f"{' or '.join(NETWORK_KEYS)}; found the keys {list_keys(value)}"
        )
    if not any(key in network.value for key in NETWORK_KEYS):
        keys = list_keys(network.value)
        raise network.error(f"expected a network with {' or '.join(NETWORK_KEYS)}; found the keys {keys}")
    return _describe_resource(network, value)


def _explain_missing_network(root: Mapping[str, Any]) -> str:
    """Return what a resource of BigML is if it is not a deepnet, or why it has no network; else ""."""
    resource = member(root, "object", dict) or root
    status = member(resource, "status", dict) or member(root, "status", dict) or {}
    code, message = member(status, "code", int), quote(member(status, "message", str) or "no message")
    id_ = RESOURCE.fullmatch(member(resource, "resource", str) or member(root, "resource", str) or "")
    if id_ and id_["kind"] != "deepnet":
        return f"this is a BigML {id_['kind']}, not a deepnet: download a deepnet"
    if code is not None and code < 0:
        return f"BigML reports an error instead of a deepnet: {message}"
    if code is not None and code != FINISHED:
        return f"this deepnet is not finished, so it has no network: {message}"
    return ""


def _descend(root: Cursor, keys: tuple[str, ...]) -> Cursor | None:
    """Return a cursor at the object under these keys, or None."""
    cursor = root
    for key in keys:
        if not isinstance(cursor.value, dict):
            return None
        cursor = cursor[key]
    return cursor if isinstance(cursor.value, dict) else None


def find_resource(network: Cursor, root: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the resource of a document, and the model in it, which is empty if there is none."""
    resource = root["object"] if network.path.startswith("object.") else root
    return resource, member(resource, "deepnet", dict) or member(resource, "model", dict) or {}


def _describe_resource(network: Cursor, root: dict[str, Any]) -> Document:
    """Return the document with the fields of its resource; invalid ones are ignored, as answers do not depend
    on them."""
    resource, model = find_resource(network, root)
    fields = member(resource, "fields", dict) or member(model, "fields", dict) or {}
    conventions = read_conventions(resource, model)
    inputs = [read_field(fields, id_, conventions) for id_ in member(resource, "input_fields", list) or []]
    objectives = member(resource, "objective_fields", list) or [None]
    objective = member(resource, "objective_field", str) or objectives[0]
    return Document(
        root=root,
        network=network,
        name=member(resource, "name", str) or "",
        description=member(resource, "description", str) or "",
        input_fields=tuple(field for field in inputs if field) if all(inputs) else (),
        objective=read_objective(fields, objective),
        missing_tokens=conventions.missing_tokens,
        categories=read_categories(fields, objective),
    )
