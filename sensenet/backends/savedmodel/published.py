"""Opens the SavedModels in bundles of the published package.

Their trees need a custom op of that package, `BigMLTreeify`. All its inputs but the features are constants in
the file, so the op is replaced by an equal function of stock ops before TensorFlow loads the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from sensenet.artifact import Executable
from sensenet.backends.batching import Run
from sensenet.backends.optional import import_tensorflow
from sensenet.backends.savedmodel.checking import parse_saved_model
from sensenet.backends.savedmodel.loading import load_function, read_json
from sensenet.backends.savedmodel.names import MODEL_FILE, SETTINGS_FILE
from sensenet.errors import ArtifactError, SensenetError, SettingsError
from sensenet.ir.types import Array
from sensenet.settings import Settings
from sensenet.signature import (
    BOXES,
    CLASSES,
    DETECTOR_OUTPUTS,
    PIXEL_INPUT,
    PREDICTIONS,
    SCORES,
    STATISTICS,
    VALID,
    CategoricalColumn,
    Column,
    ImageColumn,
    ImageInput,
    ModelKind,
    NumericColumn,
    Signature,
)

SERVING = "serving_default"

TREE_OP = "BigMLTreeify"
TREE_OUTPUT, CALL_OUTPUT = ":output_features:", ":output:"
"""The parts of input names by which other nodes read the result of that op, and of a call."""


def open_published(files: Mapping[str, bytes], where: str) -> Executable:
    """Run a SavedModel that the published package saved; raises ArtifactError for any other."""
    if SETTINGS_FILE not in files:
        raise ArtifactError(f"{where} is a SavedModel, but not of a deepnet: it has no {SETTINGS_FILE}")
    recorded = read_json(files, SETTINGS_FILE, where)
    model, outputs, channels = _prepare(files[MODEL_FILE], where)
    try:
        signature = _read_settings(recorded, channels)
    except (KeyError, TypeError, ValueError, AttributeError, SettingsError) as error:
        raise ArtifactError(
            f"{where}: {SETTINGS_FILE} is not what the published package writes ({error})"
        ) from error
    run = load_function({**files, MODEL_FILE: model}, SERVING, where).run
    answer = _detect_each(run, outputs) if signature.kind is ModelKind.DETECTOR else _predict(run, outputs)
    return Executable(signature=signature, run=_checked(answer, where))


def _read_settings(recorded: Mapping[str, Any], channels: int | None) -> Signature:
    columns = tuple(_read_column(column) for column in recorded["_preprocessors"])
    names = {attribute.name for attribute in attrs.fields(Settings)}
    given = {name: value for name, value in recorded.items() if name in names and value is not None}
    if recorded.get("_unfiltered"):
        given["output_unfiltered_boxes"] = True
    kind = _read_kind(recorded)
    warp = given.get("rescale_type") or ("pad" if kind is ModelKind.DETECTOR else "warp")
    has_images = any(isinstance(column, ImageColumn) for column in columns)
    return Signature(
        kind=kind,
        columns=columns,
        classes=() if kind is ModelKind.EXTRACTOR else tuple(recorded["_classes"] or ()),
        image=ImageInput(height=0, width=0, channels=channels or 3, rescale_type=warp)
        if has_images
        else None,
        settings=Settings(**given).given(),
    )


def _read_kind(recorded: Mapping[str, Any]) -> ModelKind:
    """Return the kind of model; extractors are saved without classes, as deepnets with a setting."""
    if recorded["deepnet_type"] == "ObjectDetector":
        return ModelKind.DETECTOR
    return ModelKind.EXTRACTOR if recorded.get("extract_image_features") else ModelKind.DEEPNET


def _read_column(column: Mapping[str, Any]) -> Column:
    match column["type"]:
        case "categorical":
            values = (value if isinstance(value, str) else None for value in column["values"])
            return CategoricalColumn(index=column["index"], values=tuple(values))
        case "image":
            return ImageColumn(index=column["index"])
    statistics = {name: column[name] for name in STATISTICS if column.get(name) is not None}
    missing = statistics.get("mean", statistics.get("zero_value", 0.0))
    return NumericColumn(index=column["index"], missing=missing, **statistics)


def _checked(run: Run, where: str) -> Run:
    """Return the function with ArtifactError raised for outputs that no published model has."""

    def answer(inputs: Mapping[str, Array]) -> dict[str, Array]:
        try:
            return run(inputs)
        except SensenetError:
            raise
        except (LookupError, TypeError, ValueError) as error:
            raise ArtifactError(f"{where} does not answer as a published model does ({error})") from error

    return answer


def _predict(run: Run, outputs: list[str]) -> Run:
    def predict(inputs: Mapping[str, Array]) -> dict[str, Array]:
        answers = run(inputs)[outputs[0]]
        if answers.ndim < 2 or answers.dtype.kind != "f":
            raise ValueError(f"it returns {answers.dtype} of rank {answers.ndim}")
        return {PREDICTIONS: answers}

    return predict


def _detect_each(run: Run, outputs: list[str]) -> Run:
    """Return a detector for several images, which runs the model on one after the other."""
    names = dict(zip(DETECTOR_OUTPUTS, outputs, strict=False))

    def detect(inputs: Mapping[str, Array]) -> dict[str, Array]:
        pixels = inputs[PIXEL_INPUT]
        found = [run({PIXEL_INPUT: pixels[row : row + 1]}) for row in range(len(pixels))]
        counts = np.array([len(each[names[BOXES]][0]) for each in found], np.int32)
        result = {
            name: np.stack([_padded(each[names[name]][0], counts.max()) for each in found])
            for name in (BOXES, SCORES, CLASSES)
        }
        valid = [each[names[VALID]].ravel()[0] for each in found] if VALID in names else counts
        return result | {CLASSES: result[CLASSES].astype(np.int32), VALID: np.asarray(valid, np.int32)}

    return detect


def _padded(rows: Array, count: int) -> Array:
    return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), rows.dtype)])


def _prepare(content: bytes, where: str) -> tuple[bytes, list[str], int | None]:
    """Replace trees by stock ops; return the file, its outputs' names in order, and the images' channels."""
    tf = import_tensorflow("opening a bundle of the published package")
    saved_model = parse_saved_model(content, where)
    (meta_graph,) = saved_model.meta_graphs
    try:
        serving = meta_graph.signature_def[SERVING]
        library = meta_graph.graph_def.library
        made = [_replace_trees(tf, function, number) for number, function in enumerate(library.function)]
        for functions in made:
            library.function.extend(functions)
        pixels = serving.inputs[PIXEL_INPUT].tensor_shape.dim if PIXEL_INPUT in serving.inputs else ()
        by_position = sorted(serving.outputs.items(), key=lambda item: int(item[1].name.rpartition(":")[2]))
        names = [name for name, _ in by_position]
        return saved_model.SerializeToString(), names, pixels[-1].size if pixels else None
    except ArtifactError:
        raise
    except Exception as error:  # protobuf's errors, and whatever a damaged graph causes
        raise ArtifactError(f"{where}: {MODEL_FILE} is damaged ({error})") from error


def _replace_trees(tf: Any, function: Any, number: int) -> list[Any]:
    """Turn the tree ops of a FunctionDef into calls, and return the functions that they call."""
    nodes = {node.name: node for node in function.node_def}
    trees = [node for node in function.node_def if node.op == TREE_OP]
    made = []
    for position, node in enumerate(trees):
        x, *operands = (name for name in node.input if not name.startswith("^"))
        constants = [tf.make_ndarray(nodes[name.split(":")[0]].attr["value"].tensor) for name in operands]
        called = _tree_function(tf, constants)
        called.signature.name = f"sensenet_trees_{number}_{position}"
        made.append(called)
        node.op = "PartitionedCall"
        node.ClearField("input")
        node.input.append(x)
        node.attr["f"].func.name = called.signature.name
        node.attr["Tin"].list.type.append(tf.float32.as_datatype_enum)
        node.attr["Tout"].list.type.append(tf.float32.as_datatype_enum)
    names = {node.name for node in trees}
    for node in function.node_def if names else ():
        for index, given in enumerate(node.input):
            if given.split(":")[0] in names:
                node.input[index] = given.replace(TREE_OUTPUT, CALL_OUTPUT)
    for name, given in function.ret.items() if names else ():
        if given.split(":")[0] in names:
            function.ret[name] = given.replace(TREE_OUTPUT, CALL_OUTPUT)
    return made


def _tree_function(tf: Any, operands: Sequence[Array]) -> Any:
    """Return the FunctionDef of a forest, f32[rows, features] → f32[rows, outputs], unrolled to its depth.

    The operands are feature, threshold, left and right, all [trees, nodes], and leaves, f32[trees, leaves,
    outputs]. A leaf's feature is negative, and its `left` is its position in `leaves`. The result is the mean
    of the trees' leaves. Raises ArtifactError for a tree with a cycle.
    """
    feature, threshold, left, right, leaves = operands
    trees, size = feature.shape
    here = np.arange(size, dtype=np.int32)
    base = (np.arange(trees, dtype=np.int32) * size)[:, None]
    is_leaf = feature < 0
    following = [base + np.where(is_leaf, here, side) for side in (left, right)]
    values = leaves[np.arange(trees)[:, None], np.where(is_leaf, np.maximum(left, 0), 0)]
    tables = [array.reshape(-1) for array in (np.maximum(feature, 0), threshold, *following)]
    depth = _depth(base[:, 0], tables[2], tables[3])

    def average(x: Any) -> Any:
        nodes = tf.tile(base.T, [tf.shape(x)[0], 1])
        for _ in range(depth):
            features, thresholds, lefts, rights = (tf.gather(table, nodes) for table in tables)
            goes_left = tf.gather(x, features, batch_dims=1) <= thresholds
            nodes = tf.where(goes_left, lefts, rights)
        return tf.reduce_mean(tf.gather(values.reshape(trees * size, -1), nodes), axis=1)

    spec = tf.TensorSpec([None, None], tf.float32)
    concrete = tf.function(average, autograph=False).get_concrete_function(spec)
    called = concrete.function_def
    (output,) = called.signature.output_arg
    called.ret["output"] = called.ret.pop(output.name)
    output.name = "output"
    return called


def _depth(roots: Array, left: Array, right: Array) -> int:
    """Return the number of steps after which every path has reached a leaf."""
    nodes, depth = np.unique(roots), 0
    while (left[nodes] != nodes).any():
        nodes = np.unique(np.concatenate([left[nodes], right[nodes]]))
        depth += 1
        if depth > len(left):
            raise ArtifactError("a tree of the file has a cycle")
    return depth
