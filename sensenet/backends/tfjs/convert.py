"""From a graph to a TensorFlow.js graph model, through a SavedModel and TensorFlow's converter."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from sensenet.backends.optional import import_package, import_tensorflow
from sensenet.backends.savedmodel.files import TENSORS, read_directory
from sensenet.backends.silence import silence
from sensenet.backends.tensorflow import Variables, make_function
from sensenet.backends.tfjs.emit import EMIT
from sensenet.backends.tfjs.names import MANIFEST, METADATA, METADATA_KEY, MODEL_FILE, OUTPUT_NAMES, TOPOLOGY
from sensenet.backends.tfjs.topology import finish_topology
from sensenet.backends.tfjs.weights import find_kernels, read_weights, write_weights
from sensenet.errors import UnsupportedOpError
from sensenet.files.directories import temporary_directory
from sensenet.ir.graph import Graph

PURPOSE = "the target tfjs"

_COUNTER = re.compile(r"(?<=_cond|_body)(?:_\d+)+(?=[\"/]|___)|__inference_")
"""What TensorFlow adds to the names of a loop's functions to distinguish all that a process makes."""


def convert(graph: Graph, quantize: str, shard_size: int) -> dict[str, bytes]:
    """Return the files of the model, by name; the same bytes for the same graph.

    Raises MissingPackageError, and UnsupportedOpError if TensorFlow.js has no ops for the graph.
    """
    tf = import_tensorflow(PURPOSE)
    with temporary_directory() as directory, silence("tensorflow", "absl"):
        converter = _import_module("tensorflowjs.converters.tf_saved_model_conversion_v2")
        saved, converted, rewritten = (directory / name for name in ("saved", "converted", "rewritten"))
        variables = Variables.of(tf, graph)
        module = tf.Module()
        module.weights = list(variables.by_digest.values())
        module.predict = make_function(tf, graph, variables, EMIT)
        tf.saved_model.save(module, saved, {TENSORS: module.predict.get_concrete_function()})
        try:
            converter.convert_tf_saved_model(
                str(saved),
                str(converted),
                signature_def=TENSORS,
                weight_shard_size_bytes=shard_size,
                use_structured_outputs_names=True,
                control_flow_v2=True,
            )
        except ValueError as error:
            raise UnsupportedOpError(f"TensorFlow.js cannot express this graph: {error}") from error
        files = read_directory(converted)
        model = _finish(files.pop(MODEL_FILE), graph)
        rewritten.mkdir()
        model[MANIFEST] = write_weights(
            _import_module("tensorflowjs.write_weights").write_weights,
            read_weights(model[MANIFEST], files),
            [] if quantize == "none" else find_kernels(graph),
            dtype=quantize,
            shard_size=shard_size,
            directory=rewritten,
        )
        return {MODEL_FILE: json.dumps(model).encode(), **read_directory(rewritten)}


def _import_module(name: str) -> Any:
    """Return a module of tensorflowjs, without the incompatible parts of its dependencies.

    One of them, through IPython, prints a greeting if sys.stdout is not a terminal or file.
    """
    os.environ.setdefault("TFDF_DISABLE_WELCOME_MESSAGE", "1")
    return import_package(name, "tfjs", PURPOSE)


def _finish(content: bytes, graph: Graph) -> dict[str, Any]:
    """Return the model.json with our metadata and names, in the same order at every run."""
    model: dict[str, Any] = json.loads(_COUNTER.sub("", content.decode()))
    names = sorted(graph.outputs)
    model[TOPOLOGY] = finish_topology(model[TOPOLOGY])
    model["signature"] = {
        "inputs": {entry["name"].partition(":")[0]: entry for entry in _entries(model, "inputs")},
        "outputs": dict(zip(names, _entries(model, "outputs"), strict=True)),
    }
    model[METADATA] = {OUTPUT_NAMES: names, METADATA_KEY: graph.signature.to_json()}
    return model


def _entries(model: Mapping[str, Any], part: str) -> list[dict[str, Any]]:
    """Return inputs or outputs by tensor name; those of outputs are Identity, Identity_1, …"""
    return sorted(model["signature"][part].values(), key=lambda entry: (len(entry["name"]), entry["name"]))
