"""What an imported graph looks like, what its signature says, and cases that the recordings don't have."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.documents import (
    CLASSES,
    FEATURES,
    PREPROCESS,
    ROW,
    dense,
    detector,
    ensemble,
    image,
    legacy,
    network,
    normalization,
    structure,
    tree,
    typed,
)
from support.feeding import answer, ops_of

from sensenet.errors import DocumentError
from sensenet.frontend import build_graph, import_graph, read_document
from sensenet.ir.graph import same_graph
from sensenet.ir.ops.convolution import Convolution2D
from sensenet.ir.ops.dense import BatchNormalization, Dense, Dropout, DropoutKind
from sensenet.ir.ops.rearrangement import Slice
from sensenet.ir.ops.tabular import Forest, OneHot, Standardize
from sensenet.limits import VARIABLE
from sensenet.settings import Settings
from sensenet.signature import (
    CategoricalColumn,
    Field,
    ImageColumn,
    ImageInput,
    ModelKind,
    NumericColumn,
)


def features_of(preprocess, row):
    layers = [{"type": "activation", "activation_function": None}]
    return answer({**network(layers), "preprocess": preprocess}, [row])[0]


# Envelopes


def marked(name):
    """A network that can be told from others by a class."""
    return network([dense(FEATURES, 2)], output_exposition={"type": "categorical", "values": [name]})


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (marked("bare"), "bare"),
        ({"network": marked("a")}, "a"),
        ({"network": marked("a"), "model": {"network": marked("b")}}, "b"),
        ({"model": {"network": marked("b")}, "deepnet": {"network": marked("c")}}, "c"),
        ({"deepnet": {"network": marked("c")}, "object": {"deepnet": {"network": marked("d")}}}, "d"),
        ({"object": None, "network": marked("a")}, "a"),
        ({"object": {"deepnet": {}}, "deepnet": None, "network": marked("a")}, "a"),
        ({**marked("bare"), "model": {"network": None}}, "bare"),
    ],
)
def test_where_a_network_is_found(document, found):
    assert import_graph(document).signature.classes == (found,)


def test_error_paths_begin_at_the_envelope():
    document = {"deepnet": {"network": network([dense(4, 2)])}}
    with pytest.raises(DocumentError) as caught:
        import_graph(document)
    assert caught.value.path == "deepnet.network.layers[0]"


# The signature


def test_signature_of_a_whole_resource():
    signature = import_graph(ensemble(), {"regression_normalize": True}).signature
    width = Field(id="000000", name="width", optype="numeric")
    assert signature.kind is ModelKind.DEEPNET
    assert signature.columns == (
        NumericColumn(index=0, missing=1.5, mean=1.5, stdev=2.0),
        CategoricalColumn(index=1, values=("red", "green", "blue")),
        NumericColumn(index=2, missing=0.0, zero_value=0.0, one_value=10.0),
    )
    assert signature.fields[0] == width
    assert [field.name for field in signature.fields] == ["width", "colour", "switch"]
    assert signature.objective == Field(id="000003", name="price", optype="numeric")
    assert (signature.name, signature.description) == ("prices", "of things")
    assert signature.classes == ()
    assert signature.settings == {"regression_normalize": True}
    assert signature.image is None


@pytest.mark.parametrize(
    "change", ["text field", "one more field", "unknown field", "no fields", "negative index"]
)
def test_fields_that_are_not_the_rows_cells_are_left_out(change):
    document = ensemble()
    resource = document["object"]
    match change:
        case "text field":
            resource["deepnet"]["fields"]["000001"]["optype"] = "text"
        case "one more field":
            resource["input_fields"].append("000003")
        case "unknown field":
            resource["input_fields"][1] = "000009"
        case "no fields":
            del resource["deepnet"]["fields"]
        case "negative index":
            resource["deepnet"]["network"]["preprocess"][2]["index"] = -1
    assert import_graph(document).signature.fields == ()


def test_resource_members_that_mean_nothing_are_passed_over():
    document = ensemble()
    document["object"] |= {"name": 3, "description": None, "objective_fields": [], "objective_field": {}}
    document["object"]["input_fields"] = "000000"
    signature = import_graph(document).signature
    assert (signature.name, signature.description, signature.objective) == ("", "", None)


def test_objective_field_and_fields_beside_the_deepnet():
    document = ensemble()["object"]
    document["fields"] = document["deepnet"].pop("fields")
    document["objective_field"] = document.pop("objective_fields")[0]
    signature = import_graph(document).signature
    assert signature.objective is not None
    assert signature.objective.name == "price"
    assert len(signature.fields) == 3


def test_classes_are_spelled_out():
    values = ["a", 1, 2.5, True, None]
    document = network([dense(FEATURES, 2)], output_exposition={"type": "categorical", "values": values})
    assert import_graph(document).signature.classes == ("a", "1", "2.5", "True", "None")


def test_signature_of_images():
    signature = import_graph(image(), {"color_space": "BGRA", "rescale_type": "pad"}).signature
    assert signature.image == ImageInput(height=6, width=8, channels=4, rescale_type="pad")
    assert signature.columns[0] == ImageColumn(index=0)
    assert import_graph(image()).signature.image.rescale_type == "crop"
    assert import_graph(detector()).signature.image.rescale_type == "pad"
    assert import_graph(detector(), {"rescale_type": "warp"}).signature.image.rescale_type == "warp"


def test_each_build_counts_what_a_document_implies_anew(monkeypatch):
    named = {"type": "dense", "number_of_nodes": 1000, "weights": "zeros", "offset": "zeros"}
    document = read_document(network([named, named, dense(1000, 2)]))
    monkeypatch.setenv(VARIABLE, "24MiB")
    for _ in range(3):
        build_graph(document, Settings())


def test_build_graph_takes_what_read_document_gives():
    graph = build_graph(read_document(json.dumps(typed())), Settings()).graph
    assert same_graph(graph, import_graph(typed()))


# Columns


def test_columns_of_one_kind_need_no_gather():
    numeric = [dict(PREPROCESS[0], index=i) for i in range(4)]
    graph = import_graph({**network([dense(4, 2)]), "preprocess": numeric})
    assert [node.op.mnemonic() for node in graph.nodes] == ["input", "standardize", "dense"]


def test_interleaved_columns_are_put_in_order_by_one_gather():
    graph = import_graph(typed())
    assert len(ops_of(graph, Standardize)) == len(ops_of(graph, OneHot)) == 1
    assert graph.node("features").op.indices.array.tolist() == [0, 2, 3, 4, 1]
    ordered = {**typed(), "preprocess": [PREPROCESS[0], PREPROCESS[2], PREPROCESS[1]]}
    assert "features" not in [node.name for node in import_graph(ordered).nodes]


def test_the_graph_does_not_grow_with_the_columns():
    def size(repeats):
        preprocess = list(PREPROCESS) * repeats
        return len(import_graph({**network([dense(FEATURES * repeats, 2)]), "preprocess": preprocess}).nodes)

    assert size(2) == size(200)


def test_statistics():
    mean = {"type": "numeric", "index": 0, "mean": 2.0, "stdev": 4.0}
    pair = {"zero_value": 10.0, "one_value": 20.0}
    assert features_of([mean], [8.0]).tolist() == [1.5]
    assert features_of([mean | pair], [8.0]).tolist() == [1.5]
    assert features_of([{"type": "numeric", "index": 0, **pair}], [15.0]).tolist() == [0.5]
    assert features_of([{"type": "numeric", "index": 0, **pair, "mean": 1.0}], [None]).tolist() == [0.0]
    assert features_of([mean | {"stdev": 0}], [8.0]).tolist() == [6.0]
    for vanishing in (1e-60, 1e-45, -1e-39, 1.17e-38):
        assert features_of([mean | {"stdev": vanishing}], [8.0]).tolist() == [6.0]
    assert features_of([mean | {"stdev": 2.0**-126}], [2.0]).tolist() == [0.0]
    assert features_of([mean | {"index": -2}], [8.0, 1.0, 2.0]).tolist() == [-0.25]


def test_categories_that_are_no_text_never_match():
    column = {"type": "categorical", "index": 0, "values": [1, "1", None, "None", True]}
    graph = import_graph({**network([dense(5, 2)]), "preprocess": [column]})
    assert graph.signature.columns[0].values == (None, "1", None, "None", None)
    assert features_of([column], [None]).tolist() == [0, 0, 0, 1, 0]


def test_a_column_without_categories_beside_others():
    preprocess = [{"type": "categorical", "index": 0, "values": []}, dict(PREPROCESS[0])]
    assert features_of(preprocess, [3.5, 0]).tolist() == [1.0]


# Layers


def test_node_names_tell_the_layer():
    names = [node.name for node in import_graph(typed()).nodes]
    block = ["layer_2_dense_path_0", "layer_2_dense_path_1", "layer_2_dense_path_2", "layer_2_add", "layer_2"]
    assert names[-len(block) - 7 : -5] == ["layer_0", "layer_1", *block]
    assert names[-5:] == [f"layer_{index}" for index in range(3, 8)]
    names = [node.name for node in import_graph(ensemble()).nodes]
    assert {"network_0_layer_0", "network_1_layer_1", "network_1_destandardize", "average"} <= set(names)


@pytest.mark.parametrize("activation", ["relu", None])
def test_a_block_as_the_last_layer(activation):
    inner = dense(4, 4, "tanh")
    block = {"dense_path": [inner], "identity_path": [], "activation_function": activation}
    document = network([dense(FEATURES, 4, None), {"type": "dense_residual_block", **block}])
    before = answer(network([document["layers"][0]]))
    after = np.tanh(before @ np.array(inner["weights"]) + inner["offset"]) + before
    np.testing.assert_allclose(answer(document), np.maximum(after, 0) if activation else after, rtol=1e-5)


@pytest.mark.parametrize("stdev", [True, False])
@pytest.mark.parametrize("units", [2, 5, 13])
def test_legacy_pairs_as_the_last_layers(stdev, units):
    """Recomputed from the words of the specification, in float64."""
    first, second = legacy(FEATURES, 4, stdev=stdev), legacy(4, units, "tanh", stdev=stdev, residuals=True)

    def linear(x, layer):
        y = x @ np.array(layer["weights"]).T
        if not stdev:
            return y + layer["offset"]
        return (y - layer["mean"]) / layer["stdev"] * layer["scale"] + layer["offset"]

    x = features_of([dict(column) for column in PREPROCESS], ROW).astype(np.float64)
    skipped = np.resize(x, units) if units > FEATURES else x[:units]
    expected = np.tanh(linear(np.maximum(linear(x, first), 0), second) + skipped)
    np.testing.assert_allclose(answer(network([first, second]))[0], expected, rtol=1e-4, atol=1e-6)


def test_legacy_epsilon():
    document = network([legacy(FEATURES, 3, None, stdev=True, epsilon=0.25)])
    (op,) = ops_of(import_graph(document), BatchNormalization)
    stdev = np.array(document["layers"][0]["stdev"])
    np.testing.assert_allclose(op.variance.float64 + op.epsilon, stdev**2 - 1e-3 + 0.25, rtol=1e-5)
    del document["layers"][0]["epsilon"]
    (op,) = ops_of(import_graph(document), BatchNormalization)
    np.testing.assert_allclose(op.variance.float64 + op.epsilon, stdev**2, rtol=1e-5)


def test_batch_normalization_epsilon():
    def epsilon(**members):
        (op,) = ops_of(import_graph(network([normalization(FEATURES, **members)])), BatchNormalization)
        return op.epsilon

    assert epsilon() == 1e-3
    assert epsilon(epsilon=1e-7) == 1e-7
    assert epsilon(epsilon=0) == 0
    (op,) = ops_of(import_graph(image()), BatchNormalization)
    assert op.epsilon == 1e-4


def test_dropout_is_kept():
    (op,) = ops_of(import_graph(typed()), Dropout)
    assert op == Dropout(kind=DropoutKind.ZERO, rate=0.5)


def test_inputs_of_the_first_layer_are_ignored_and_null_is_absent():
    plain = network([dense(FEATURES, 3), dense(3, 2)])
    strange = network([dense(FEATURES, 3) | {"inputs": [7]}, dense(3, 2) | {"inputs": None}])
    assert same_graph(import_graph(plain), import_graph(strange))


# Trees and ensembles


def test_forests_read_their_range():
    graph = import_graph(ensemble())
    assert [(op.start, op.stop) for op in ops_of(graph, Slice)] == [(0, 2), (1, 5)]
    first, second = ops_of(graph, Forest)
    assert first.sizes == second.sizes == (2,)
    assert first.roots.array.tolist() == [0, 7]
    whole = network([{"type": "activation"}], trees=[[[0, 99], [tree(0, outputs=1)]]])
    assert ops_of(import_graph(whole), Slice) == []
    assert answer(whole)[0, 0] == 0.25


def test_a_threshold_beyond_float32():
    trees = [[[0, 5], [[0, 1e300, [[1.0], None], [[2.0], None]]]]]
    assert answer(network([{"type": "activation"}], trees=trees))[0, 0] == 1.0


@pytest.mark.parametrize("trees", [None, False, []])
def test_no_trees(trees):
    assert ops_of(import_graph(network([dense(FEATURES, 2)], trees=trees)), Forest) == []


def test_networks_win_over_layers_unless_null():
    ensembled = network([dense(FEATURES, 3)], networks=[{"layers": [dense(FEATURES, 2)]}])
    assert answer(ensembled).shape == (1, 2)
    assert answer({**ensembled, "networks": None}).shape == (1, 3)


def test_the_exposition_of_the_first_network():
    document = network([], networks=[{"layers": [dense(FEATURES, 2)], "output_exposition": CLASSES}])
    del document["output_exposition"]
    assert import_graph(document).signature.classes == ("yes", "no")


def test_an_ensemble_is_averaged_after_destandardizing():
    document = ensemble()
    inner = document["object"]["deepnet"]["network"]
    normalized = answer(document, settings={"regression_normalize": True})
    np.testing.assert_allclose(answer(document), normalized * 2.5 + 10, rtol=1e-6)
    inner["output_exposition"] = {"type": "numeric"}
    np.testing.assert_array_equal(answer(document, settings={"regression_normalize": True}), normalized)


# Weights that are only named


def test_named_weights_follow_from_the_seed():
    first, again = import_graph(structure()), import_graph(structure())
    assert same_graph(first, again)
    document = structure()
    document["layers"][0]["seed"] += 1
    other = import_graph(document)
    assert other.node("layer_0").op.kernel != first.node("layer_0").op.kernel
    assert other.node("layer_1").op == first.node("layer_1").op
    document["layers"][0]["seed"] = None
    assert import_graph(document).node("layer_0").op.kernel != other.node("layer_0").op.kernel


def test_named_weights_have_the_shapes_that_the_layer_says():
    graph = import_graph(structure())
    (first, *_) = ops_of(graph, Convolution2D)
    assert first.kernel.shape == (3, 2, 3, 4)
    assert first.bias.array.tolist() == [0] * 4
    assert graph.node("image_layer_2").op.kernel.shape == (3, 2, 4, 2)
    assert graph.node("image_layer_3").op.depth_kernel.shape == (3, 2, 8, 3)
    assert graph.node("image_layer_3").op.point_kernel.shape == (1, 1, 24, 5)
    assert graph.node("image_layer_1").op.gamma.array.tolist() == [1] * 4


def test_glorot_scales():
    def kernel(name):
        document = network([dense(FEATURES, 2)])
        document["preprocess"] = [dict(PREPROCESS[0], index=i) for i in range(300)]
        document["layers"] = [{"type": "dense", "weights": name, "number_of_nodes": 500}]
        return ops_of(import_graph(document), Dense)[0].kernel.array

    for name, bound in (("glorot_uniform", np.sqrt(6 / 800)), ("glorot_normal", np.inf)):
        values = kernel(name)
        assert abs(values).max() <= bound
        np.testing.assert_allclose(values.std(), np.sqrt(2 / 800), rtol=0.02)
        assert abs(values.mean()) < 1e-3


def test_named_weights_of_legacy_layers():
    document = network(
        [{"weights": "glorot_uniform", "offset": "zeros", "number_of_nodes": 3, "stdev": None}]
    )
    (op,) = ops_of(import_graph(document), Dense)
    assert op.kernel.shape == (FEATURES, 3)
