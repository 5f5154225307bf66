"""Runs a TensorFlow.js graph model in TensorFlow: its topology is a GraphDef, its weights are in separate
files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from sensenet.artifact import CallMemory, Executable
from sensenet.backends.batching import Run, call_memory, run_batches
from sensenet.backends.fitting import require_fitting
from sensenet.backends.graph_checks import make_safe
from sensenet.backends.graph_sizes import row_memory
from sensenet.backends.optional import import_tensorflow, require_unforked
from sensenet.backends.savedmodel.loading import describe_failure
from sensenet.backends.silence import silence
from sensenet.backends.tfjs.fused import split_fused
from sensenet.backends.tfjs.names import MANIFEST, METADATA, METADATA_KEY, MODEL_FILE, SIGNATURE, TOPOLOGY
from sensenet.backends.tfjs.weights import read_weights
from sensenet.errors import ArtifactError, InputError, LimitError
from sensenet.foreign_errors import first_line
from sensenet.ir.types import Array, DType, TensorType
from sensenet.limits import limit_error
from sensenet.optional_packages import import_package
from sensenet.signature import Signature

PURPOSE = "running a model of TensorFlow.js"

MOST_ROWS = 4096
"""Rows that are given to TensorFlow at once; more do not stay in a processor's cache."""


def make_executable(files: Mapping[str, bytes], where: str) -> Executable:
    """Run the files of a model, by name; raises ArtifactError, naming `where`, for other files."""
    tf = import_tensorflow(PURPOSE)
    try:
        model = json.loads(files[MODEL_FILE])
        record = (model.get(METADATA) or {}).get(METADATA_KEY)
        if record is None:
            raise ArtifactError("it has no signature: sensenet did not make it")
        signature = Signature.from_json(record)
        weights = read_weights(model[MANIFEST], files)
        with silence("tensorflow", "absl"):
            run, memory = _make_run(tf, model, weights, signature)
    except LimitError:
        raise
    except MemoryError as error:
        raise limit_error(error) from error
    except Exception as error:  # protobuf's, TensorFlow's and JSON's, on a damaged file
        raise ArtifactError(f"{where} cannot be run as a graph model: {first_line(error)}") from error
    return Executable(signature=signature, run=run, call_memory=memory)


def _make_run(
    tf: Any, model: Mapping[str, Any], weights: Mapping[str, Array], signature: Signature
) -> tuple[Run, CallMemory]:
    """Return a function from named inputs to named outputs, and what a call takes.

    It runs in a session on a graph of its own: eager TensorFlow has one table of functions, in which the
    bodies of loops of several models would get into each other's way.
    """
    json_format = import_package("google.protobuf.json_format", "tensorflow", PURPOSE)
    graph_def = json_format.ParseDict(model[TOPOLOGY], tf.compat.v1.GraphDef(), ignore_unknown_fields=True)
    split_fused(graph_def)
    functions = graph_def.library.function
    for scope in (graph_def.node, *(function.node_def for function in functions)):
        for node in scope:
            if node.op == "Const":
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node.name]))
    size = sum(array.nbytes for array in weights.values())
    make_safe(tf, graph_def.node, functions, size, MODEL_FILE)
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    feeds, fetches = (
        {name: graph.as_graph_element(entry["name"]) for name, entry in model[SIGNATURE][part].items()}
        for part in ("inputs", "outputs")
    )
    types = {name: _tensor_type(tensor) for name, tensor in feeds.items()}
    answers = {name: _tensor_type(tensor) for name, tensor in fetches.items()}
    require_fitting(signature, types, answers, MODEL_FILE)
    memory = call_memory(types, answers, row_memory(graph, fetches.values(), MODEL_FILE))
    session = tf.compat.v1.Session(graph=graph, config=_without_optimizer(tf))

    def call(arrays: Mapping[str, Array]) -> dict[str, Array]:
        require_unforked()
        try:
            results: dict[str, Array] = session.run(fetches, {feeds[name]: arrays[name] for name in types})
        except tf.errors.OpError as error:
            raise InputError(describe_failure(error)) from error
        return results

    return run_batches(call, types, answers, MOST_ROWS), memory


def _without_optimizer(tf: Any) -> Any:
    """Return the settings of a session whose operators are run as they are.

    TensorFlow's optimizer makes products of divisions by constants, and these round otherwise: enough to
    take another pixel. It also gives a leaky ReLU that it fuses with a layer another slope.
    """
    settings = tf.compat.v1.ConfigProto()
    settings.graph_options.rewrite_options.disable_meta_optimizer = True
    return settings


def _tensor_type(tensor: Any) -> TensorType:
    return TensorType(DType.of(np.empty(0, tensor.dtype.as_numpy_dtype)), tuple(tensor.shape))
