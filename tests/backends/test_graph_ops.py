"""Graphs of TensorFlow in files: only ops that sensenet or the published package writes are run."""

from __future__ import annotations

import json
import os
import sys

import numpy as np
import pytest
from support import documents
from support.lowered import CONVOLUTION, DENSE, activations_in_context
from support.op_cases import ALL_CASES

import sensenet
from sensenet.backends import get_target
from sensenet.backends.formats.smbundle import pack
from sensenet.backends.graph_ops import ALLOWED, OURS
from sensenet.backends.savedmodel.checking import clean_files, parse_saved_model
from sensenet.backends.savedmodel.files import read_directory
from sensenet.backends.tensorflow import LEGAL, make_function
from sensenet.backends.tfjs.running import make_executable
from sensenet.errors import ArtifactError, LimitError
from sensenet.models.wrappers import create_model
from sensenet.passes.lowering.legalize import legalize

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

FORBIDDEN = frozenset(
    {
        "Assert",
        "AudioSummary",
        "CollectiveReduce",
        "DebugIdentity",
        "DebugIdentityV2",
        "DeserializeIterator",
        "EagerPyFunc",
        "FileSystemSetConfiguration",
        "FixedLengthRecordReader",
        "InitializeTableFromTextFileV2",
        "LoadDataset",
        "LogMatrixDeterminant",
        "MatchingFiles",
        "MergeV2Checkpoints",
        "Print",
        "PrintV2",
        "PyFunc",
        "PyFuncStateless",
        "ReadFile",
        "RemoteCall",
        "Restore",
        "RestoreV2",
        "Save",
        "SaveDataset",
        "SaveV2",
        "ShardedFilename",
        "SymbolicGradient",
        "TextLineDataset",
        "WholeFileReaderV2",
        "WriteFile",
        "WriteSummary",
        "XlaLaunch",
        "_Recv",
        "_Send",
    }
)
STATEFUL = frozenset(
    {
        "HashTableV2",
        "LookupTableFindV2",
        "LookupTableImportV2",
        "ReadVariableOp",
        "StatefulPartitionedCall",
    }
)
"""The ops of the list that have a state: tables, variables, and calls of functions of the same graph."""


def ops_of(graph_def):
    nodes = [*graph_def.node, *(node for f in graph_def.library.function for node in f.node_def)]
    return {node.op for node in nodes}


def test_the_list_has_every_op_that_the_lowering_emits():
    """What is written for TensorFlow.js is run in TensorFlow, and so checked, in test_tfjs_emit."""
    graphs = [case.graph() for case in ALL_CASES]
    graphs += [activations_in_context(CONVOLUTION, (6, 7, 3))[0], activations_in_context(DENSE, (3,))[0]]
    found = set()
    for graph in graphs:
        function = make_function(tf, legalize(LEGAL).run(graph))
        found |= ops_of(function.get_concrete_function().graph.as_graph_def())
    assert found <= OURS


@pytest.mark.parametrize("name", ["typed", "ensemble", "detector", "image"])
def test_the_list_has_every_op_that_answers_calls_of_a_saved_model(name):
    files = sensenet.compile(getattr(documents, name)(), "savedmodel").files
    clean = parse_saved_model(clean_files(tf, files, "model")["saved_model.pb"], "model").meta_graphs[0]
    assert clean.graph_def.library.function
    assert not ops_of(clean.graph_def) & FORBIDDEN


def test_no_op_of_the_list_reads_or_writes_files_runs_python_or_sends():
    from tensorflow.python.framework import op_def_registry

    assert not ALLOWED & FORBIDDEN
    definitions = {name: op_def_registry.get(name) for name in ALLOWED}
    assert None not in definitions.values()
    assert {name for name, found in definitions.items() if found.is_stateful} == STATEFUL
    words = (
        "File",
        "Save",
        "Restore",
        "Dataset",
        "Py",
        "Print",
        "Send",
        "Recv",
        "Summary",
        "Reader",
        "Remote",
    )
    assert not [name for name in ALLOWED for word in words if word in name]


class Reader(tf.Module):
    """A deepnet of one column that does something else besides."""

    def __init__(self, act):
        super().__init__()
        self.act = act

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, "numeric_inputs")], autograph=False)
    def answer(self, numeric_inputs):
        with tf.control_dependencies([self.act()]):
            return {"predictions": tf.identity(numeric_inputs)}


SETTINGS = {
    "_preprocessors": [{"type": "numeric", "index": 0, "mean": 0.0}],
    "_classes": None,
    "deepnet_type": "Deepnet",
}


def save(module, path, settings=SETTINGS):
    tf.saved_model.save(module, str(path), {"serving_default": module.answer.get_concrete_function()})
    (path / "assets").mkdir(exist_ok=True)
    (path / "assets" / "settings.json").write_text(json.dumps(settings))
    return path


def python(_):
    sys.exit("run")


ACTS = {
    "ReadFile": lambda: tf.io.read_file("/etc/hostname"),
    "WriteFile": lambda: tf.io.write_file("written", "x"),
    "MatchingFiles": lambda: tf.io.matching_files("/etc/*"),
    "PrintV2": lambda: tf.raw_ops.PrintV2(input="x"),
    "EagerPyFunc": lambda: tf.py_function(python, [1], tf.int32),
    "PyFunc": lambda: tf.numpy_function(python, [1], tf.int32),
    "SaveV2": lambda: tf.raw_ops.SaveV2(
        prefix="written", tensor_names=["x"], shape_and_slices=[""], tensors=[tf.constant(1)]
    ),
    "RestoreV2": lambda: tf.raw_ops.RestoreV2(
        prefix="x", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.int32]
    )[0],
    "ReadFile in a branch": lambda: tf.cond(
        tf.random.uniform([]) < 2, lambda: tf.io.read_file("/etc/hostname"), lambda: tf.constant("")
    ),
}


@pytest.mark.parametrize("name", ACTS)
def test_a_saved_model_that_does_something_else_is_not_run(tmp_path, name):
    path = save(Reader(ACTS[name]), tmp_path / "model")
    op = r"(RandomUniform|ReadFile)" if " " in name else name
    with pytest.raises(
        ArtifactError, match=rf"its node '\S+' is the op '{op}', which sensenet does not write"
    ):
        create_model(path)
    bundle = tmp_path / "model.smbundle"
    bundle.write_bytes(pack(read_directory(path)))
    with pytest.raises(ArtifactError, match="is not run"):
        create_model(bundle)


def test_a_saved_model_that_does_nothing_else_is_run(tmp_path):
    path = save(Reader(lambda: tf.constant(1)), tmp_path / "model")
    assert create_model(path)([[2.5]]).tolist() == [[2.5]]


class OneNumber(Reader):
    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, "numeric_inputs")], autograph=False)
    def answer(self, numeric_inputs):
        return {"predictions": tf.reduce_sum(numeric_inputs)}


def test_a_saved_model_that_answers_no_rows_is_an_error(tmp_path):
    model = create_model(save(OneNumber(None), tmp_path / "model"))
    with pytest.raises(
        ArtifactError, match=r"does not answer as a published model does \(it returns float32"
    ):
        model([[2.5]])


def test_a_saved_model_without_outputs_is_an_error(tmp_path):
    path = save(Reader(lambda: tf.constant(1)), tmp_path / "model")
    saved_model = parse_saved_model((path / "saved_model.pb").read_bytes(), "model")
    saved_model.meta_graphs[0].signature_def["serving_default"].ClearField("outputs")
    (path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    with pytest.raises(ArtifactError, match="does not answer as a published model does"):
        create_model(path)([[2.5]])


def test_initializers_that_read_files_are_not_run(tmp_path):
    (tmp_path / "words").write_text("a\nb\n")

    class Table(Reader):
        def __init__(self):
            super().__init__(lambda: self.table.lookup(tf.constant(["a"])))
            number, line = tf.lookup.TextFileIndex.WHOLE_LINE, tf.lookup.TextFileIndex.LINE_NUMBER
            initializer = tf.lookup.TextFileInitializer(
                str(tmp_path / "words"), tf.string, number, tf.int64, line
            )
            self.table = tf.lookup.StaticHashTable(initializer, -1)

    with pytest.raises(ArtifactError, match=r"is not run: (its node|it reads asset files)"):
        create_model(save(Table(), tmp_path / "model"))


def test_functions_that_save_and_restore_are_left_out(tmp_path):
    files = sensenet.compile(documents.image(), "savedmodel").files
    before = parse_saved_model(files["saved_model.pb"], "model").meta_graphs[0].graph_def
    after = parse_saved_model(clean_files(tf, files, "model")["saved_model.pb"], "model").meta_graphs[0]
    assert {"SaveV2", "RestoreV2"} <= ops_of(before)
    assert not {"SaveV2", "RestoreV2", "MergeV2Checkpoints"} & ops_of(after.graph_def)
    assert {node.op for node in after.graph_def.node} <= {"Const"}


def test_constants_that_are_larger_than_the_file_are_not_made(tmp_path):
    path = save(Reader(lambda: tf.constant(1)), tmp_path / "model")
    saved_model = parse_saved_model((path / "saved_model.pb").read_bytes(), "model")
    for function in saved_model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "Const":
                dimension = node.attr["value"].tensor.tensor_shape.dim.add()
                dimension.size = 1 << 33
    (path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    with pytest.raises(LimitError, match="holding its constants"):
        create_model(path)


def test_a_constant_of_another_dtype_than_its_node_is_refused(tmp_path):
    """TensorFlow would end the process."""
    path = save(Reader(lambda: tf.constant(1)), tmp_path / "model")
    saved_model = parse_saved_model((path / "saved_model.pb").read_bytes(), "model")
    for function in saved_model.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "Const":
                node.attr["value"].tensor.dtype = tf.float32.as_datatype_enum
                node.attr["dtype"].type = tf.int32.as_datatype_enum
    (path / "saved_model.pb").write_bytes(saved_model.SerializeToString())
    with pytest.raises(ArtifactError, match=r"its constant '\S+' is of another dtype"):
        create_model(path)


@pytest.mark.parametrize("name", ["variables", "saved_model.pb", "assets/settings.json"])
def test_links_are_not_followed(tmp_path, name):
    path = save(Reader(lambda: tf.constant(1)), tmp_path / "model")
    (path / name).rename(tmp_path / "elsewhere")
    (path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ArtifactError, match=r"is (a link|not a file)"):
        create_model(path)


def test_pipes_are_not_waited_for(tmp_path):
    path = save(Reader(lambda: tf.constant(1)), tmp_path / "model")
    os.mkfifo(path / "variables" / "variables.data-00000-of-00002")
    with pytest.raises(ArtifactError, match=r"is (a link|not a file)"):
        create_model(path)


def make_graph_model(op, **attributes):
    """The files of a graph model of TensorFlow.js with one more node."""
    signature = sensenet.compile(
        documents.network([documents.dense(documents.FEATURES, 2)]), "ir"
    ).graph.signature
    inputs = {"name": "numeric_inputs", "dtype": "DT_FLOAT"}
    shape = {"shape": {"dim": [{"size": "-1"}, {"size": "3"}]}}
    nodes = [
        {
            "name": "numeric_inputs",
            "op": "Placeholder",
            "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": shape},
        },
        {"name": "extra", "op": op, "attr": attributes, "input": []},
        {
            "name": "Identity",
            "op": "Identity",
            "input": ["numeric_inputs"],
            "attr": {"T": {"type": "DT_FLOAT"}},
        },
    ]
    model = {
        "format": "graph-model",
        "modelTopology": {"node": nodes, "library": {}},
        "weightsManifest": [],
        "signature": {
            "inputs": {"numeric_inputs": {**inputs, "name": "numeric_inputs:0"}},
            "outputs": {"predictions": {"name": "Identity:0"}},
        },
        "userDefinedMetadata": {"sensenet": signature.to_json()},
    }
    return {"model.json": json.dumps(model).encode()}


def test_graph_models_of_javascript_are_checked_likewise():
    executable = make_executable(make_graph_model("NoOp"), "model.json")
    assert executable.run({"numeric_inputs": np.ones((1, 3), np.float32)})["predictions"].tolist() == [
        [1, 1, 1]
    ]
    with pytest.raises(ArtifactError, match=r"its node 'extra' is the op 'MatchingFiles'"):
        make_executable(make_graph_model("MatchingFiles"), "model.json")


def change_model(change):
    """The files of a graph model, whose model.json has been changed."""
    files = make_graph_model("NoOp")
    model = json.loads(files["model.json"])
    change(model)
    return {"model.json": json.dumps(model).encode()}


def rename_output(model):
    model["signature"]["outputs"] = {"answers": {"name": "Identity:0"}}


def rename_input(model):
    model["signature"]["inputs"] = {"numbers": {"name": "numeric_inputs:0"}}


def answer_one_number(model):
    shape = {"shape": {"dim": [{"size": "-1"}]}}
    model["modelTopology"]["node"][0]["attr"]["shape"] = shape


@pytest.mark.parametrize("change", [rename_output, rename_input, answer_one_number])
def test_graph_models_take_and_give_what_their_signature_says(change):
    with pytest.raises(ArtifactError, match="its tensors do not fit its signature: the signature "):
        make_executable(change_model(change), "model.json")


def test_messages_about_graph_models_can_be_printed():
    files = change_model(lambda model: model["modelTopology"]["node"][2].update(input="\ud800"))
    with pytest.raises(ArtifactError, match="cannot be run as a graph model") as caught:
        make_executable(files, "model.json")
    assert str(caught.value).encode()


def test_constants_of_graph_models_have_the_dtype_of_their_weights():
    files = make_graph_model("Const", dtype={"type": "DT_INT32"})
    model = json.loads(files["model.json"])
    entry = {"name": "extra", "shape": [1], "dtype": "float32"}
    model["weightsManifest"] = [{"paths": ["group1-shard1of1.bin"], "weights": [entry]}]
    changed = {"model.json": json.dumps(model).encode(), "group1-shard1of1.bin": bytes(4)}
    with pytest.raises(ArtifactError, match="its constant 'extra' is of another dtype"):
        make_executable(changed, "model.json")


def test_the_kept_graph_is_run_without_tensorflow(tmp_path, monkeypatch):
    rows = [[2.5, "green", 3], [None, "purple", None]]
    expected = create_model(documents.typed())(rows)
    paths = {
        target: sensenet.compile(documents.typed(), target).save(tmp_path / target) for target in TARGETS
    }
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    for path in paths.values():
        np.testing.assert_allclose(create_model(path)(rows), expected, rtol=1e-5)


TARGETS = ("savedmodel", "smbundle")


def test_a_weight_that_was_changed_is_noticed(tmp_path):
    path = sensenet.compile(documents.image(), "savedmodel").save(tmp_path / "model")
    places = json.loads((path / "assets" / "weights.json").read_text())
    name, offset, *_ = next(iter(places.values()))
    content = bytearray((path / name).read_bytes())
    content[offset] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(ArtifactError, match="differs from the one that was saved"):
        create_model(path)


@pytest.mark.parametrize(
    "places",
    [
        "[",
        "[]",
        '{"x": 1}',
        '{"x": ["../secret", 0, "float32", [1]]}',
        '{"x": ["saved_model.pb", -4, "float32", [1]]}',
        '{"x": ["saved_model.pb", 0, "object", [1]]}',
        '{"x": ["saved_model.pb", 0, "float32", [1e9]]}',
        '{"x": ["saved_model.pb", 0, "float32", [4294967296, 4294967296]]}',
    ],
)
def test_damaged_places_of_weights_are_refused(tmp_path, places):
    path = sensenet.compile(documents.typed(), "savedmodel").save(tmp_path / "model")
    (path / "assets" / "weights.json").write_text(places)
    with pytest.raises(ArtifactError, match=r"weights\.json is damaged|was saved"):
        create_model(path)
    with pytest.raises(ArtifactError):
        get_target("savedmodel").read_graph(path)
