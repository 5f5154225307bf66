"""Every fault of a document is a DocumentError that says where it is and what was expected."""

from __future__ import annotations

import re

import pytest
from support.documents import (
    DOCUMENTS,
    detector,
    ensemble,
    image,
    legacy_network,
    network,
    structure,
    tree,
    typed,
    weights,
)

from sensenet.errors import DocumentError, SettingsError
from sensenet.frontend import import_graph

REMOVE = object()
CONVOLUTION = "image_network.layers[1]"
METADATA = "image_network.metadata"
TREES = "object.deepnet.network.trees"


def change(document, path, value):
    """The document with the value at a JSON path replaced or removed."""
    *parents, last = [
        int(index) if index else key for key, index in re.findall(r"([A-Za-z_]\w*)|\[(\d+)\]", path)
    ]
    container = document
    for step in parents:
        container = container[step]
    if value is REMOVE:
        del container[last]
    else:
        container[last] = value
    return document


def check(document, message, path=None):
    with pytest.raises(DocumentError) as caught:
        import_graph(document)
    assert re.search(message, str(caught.value)), str(caught.value)
    if path is not None:
        assert caught.value.path == path
        assert str(caught.value).startswith(f"{path}: " if path else "")


FAULTS = [
    # (document of support.documents, what is changed, to what, path of the error, its message);
    # a path of None: the error is at what is changed
    ("typed", "preprocess", REMOVE, "", "'preprocess' is missing; found the keys 'layers', 'output_expo"),
    ("typed", "preprocess", [], None, "there are no columns"),
    ("typed", "preprocess[1].values", [], "layers[0]", "the kernel has 5 channels, the input is f32"),
    ("typed", "preprocess[1].values", REMOVE, "preprocess[1]", "'values' is missing"),
    (
        "typed",
        "preprocess[0].type",
        "text",
        None,
        "expected one of numeric, categorical, image, found the text",
    ),
    (
        "typed",
        "preprocess[0].mean",
        REMOVE,
        "preprocess[0]",
        "numeric column without statistics: expected mean",
    ),
    ("typed", "preprocess[0].stdev", None, "preprocess[0]", "numeric column without statistics"),
    ("typed", "preprocess[2].one_value", REMOVE, "preprocess[2]", "or zero_value and one_value"),
    ("typed", "preprocess[0].stdev", "2", None, "expected a number, found the text '2'"),
    ("typed", "preprocess[0].mean", True, None, "expected a number, found true"),
    ("typed", "preprocess[0].index", 0.5, None, "expected a whole number"),
    ("typed", "preprocess[0].index", REMOVE, "preprocess[0]", "'index' is missing"),
    ("typed", "layers", [], None, "the network has no layers"),
    ("typed", "layers", {}, None, "expected a list, found an object with the keys \\(none\\)"),
    ("typed", "layers[0]", 3, None, "expected an object with 'type', found the number 3"),
    (
        "typed",
        "layers[0].type",
        "fully_connected",
        None,
        "unknown layer type 'fully_connected' here; expected one of: den",
    ),
    (
        "typed",
        "layers[0].type",
        REMOVE,
        "layers[0]",
        "this layer has no type, but others in the list have one",
    ),
    (
        "typed",
        "layers[0].weights",
        REMOVE,
        "layers[0]",
        "'weights' is missing; found the keys 'type', 'offset'",
    ),
    ("typed", "layers[0].weights", None, None, "expected 2-D numbers, found nothing"),
    ("typed", "layers[0].weights", [1, 2], None, "expected 2-D numbers, found 1-D numbers \\(2\\)"),
    ("typed", "layers[0].weights", [], None, "expected 2-D numbers, found 1-D numbers \\(0\\)"),
    ("typed", "layers[0].weights[3]", [1, 2], "layers[0].weights", "a ragged list \\(row 3 has 2 of 4\\)"),
    (
        "typed",
        "layers[0].weights[3][2]",
        "x",
        "layers[0].weights",
        "something that is not a number at \\[3\\]\\[2\\]",
    ),
    (
        "typed",
        "layers[0].weights[3]",
        1,
        "layers[0].weights",
        "a number next to lists \\(row 3 is not a list\\)",
    ),
    ("typed", "layers[0].weights", "uniform", None, "expected 2-D numbers, or one of zeros, ones, glorot"),
    ("typed", "layers[0].weights", "zeros", "layers[0].number_of_nodes", "expected a number, found nothing"),
    (
        "typed",
        "layers[0].weights",
        weights(6, 4),
        "layers[0]",
        "the kernel has 6 channels, the input is f32\\[\\?,5",
    ),
    ("typed", "layers[0].offset", weights(3), "layers[0]", "bias f32\\[3\\] for 4 units"),
    (
        "typed",
        "layers[0].activation_function",
        "ReLU",
        None,
        "unknown activation function 'ReLU'; expected one of: linear",
    ),
    ("typed", "layers[0].activation_function", 1, None, "expected text, found the number 1"),
    ("typed", "layers[1].gamma", REMOVE, "layers[1]", "'gamma' is missing"),
    ("typed", "layers[1].variance", [0.5, -2e-5, 1, 1], None, "a variance is -1e-05 or less"),
    ("typed", "layers[1].epsilon", None, None, "expected a number, found nothing"),
    ("typed", "layers[1].mean", weights(3), "layers[1]", "the four parameters differ in shape"),
    ("typed", "layers[2].identity_path", REMOVE, "layers[2]", "'identity_path' is missing"),
    ("typed", "layers[2].dense_path[0].weights", weights(3, 4), "layers[2].dense_path[0]", "3 channels"),
    ("typed", "layers[2].dense_path[0].type", "dense_residual_block", None, "unknown layer type .* here"),
    ("typed", "layers[2].dense_path[2].rate", 1.5, None, "expected a number from 0 to 1"),
    ("typed", "layers[2].dense_path[2].dropout_type", "half", None, "expected one of zero, alpha, block"),
    (
        "typed",
        "layers[2].dense_path[2].dropout_type",
        "block",
        "layers[2].dense_path[2]",
        "expected an image for block dropout",
    ),
    ("typed", "layers[3].inputs", [0], "layers[3]", "add takes two or more inputs"),
    ("typed", "layers[3].inputs", [], None, "a layer needs at least one input"),
    (
        "typed",
        "layers[3].inputs",
        [0, 3],
        "layers[3].inputs[1]",
        "there is no layer 3 among the 3 before this one",
    ),
    ("typed", "layers[3].inputs", [0, -4], "layers[3].inputs[1]", "there is no layer -4"),
    ("typed", "layers[1].inputs", [0, 0], "layers[1]", "1 inputs?, not 2"),
    ("typed", "layers[4].inputs", REMOVE, "layers[4]", "concatenate needs two or more inputs"),
    ("typed", "layers[5].number_of_splits", 3, "layers[5]", "8 channels cannot be split into 3 equal groups"),
    ("typed", "layers[5].group_index", 2, None, "there is no group 2 of 2"),
    ("typed", "output_exposition", REMOVE, "", "output_exposition is missing"),
    (
        "typed",
        "output_exposition.type",
        REMOVE,
        "output_exposition",
        "'type' is missing; found the keys 'values'",
    ),
    (
        "typed",
        "output_exposition.type",
        "boolean",
        None,
        "expected one of numeric, categorical, bounding_box",
    ),
    ("typed", "output_exposition.values", REMOVE, "output_exposition", "'values' is missing"),
    ("typed", "output_exposition.values[0]", [], None, "expected the name of a class"),
    ("legacy", "layers[1].stdev[2]", 0, "layers[1].stdev", "a standard deviation is almost 0"),
    ("legacy", "layers[1].mean", None, None, "expected 1-D numbers, found nothing"),
    ("legacy", "layers[1].residuals", "yes", None, "expected true or false, found the text 'yes'"),
    (
        "legacy",
        "layers[1].weights",
        weights(3, 5),
        "layers[1]",
        "the kernel has 5 channels, the input is f32",
    ),
    ("legacy", "layers[2].type", "dense", "layers[0]", "this layer has no type"),
    ("ensemble", "object.deepnet.network.networks", [], None, "an ensemble needs at least one network"),
    (
        "ensemble",
        "object.deepnet.network.networks[0].trees",
        1,
        None,
        "expected true or false, found the number 1",
    ),
    (
        "ensemble",
        "object.deepnet.network.trees",
        [],
        "object.deepnet.network.networks[0].trees",
        "model has none",
    ),
    ("ensemble", "object.deepnet.network.networks[1].layers", None, None, "expected a list, found nothing"),
    (
        "ensemble",
        "object.deepnet.network.output_exposition.stdev",
        REMOVE,
        "object.deepnet.network.output_exposition",
        "'stdev' is missing",
    ),
    ("ensemble", f"{TREES}[0][0]", [0], None, "expected \\[start, end\\], found a list of 1"),
    ("ensemble", f"{TREES}[0][0]", [2, 2], None, "the range \\[2, 2\\) has none of the 5 features"),
    ("ensemble", f"{TREES}[0][0]", [-1, 2], None, "the range \\[-1, 2\\) has none"),
    ("ensemble", f"{TREES}[0]", [[0, 2]], None, "expected a pair: \\[start, end\\] and a list of trees"),
    ("ensemble", f"{TREES}[0][1]", [], None, "a forest needs at least one tree"),
    ("ensemble", f"{TREES}[0][1][0]", [], None, "expected a node .* or a leaf .*, found a list of 0"),
    (
        "ensemble",
        f"{TREES}[0][1][0][3][0]",
        2,
        f"{TREES}[0][1][0][3]",
        "feature the number 2 is not among .* 2",
    ),
    ("ensemble", f"{TREES}[0][1][0][0]", -1, f"{TREES}[0][1][0]", "feature the number -1 is not among"),
    ("ensemble", f"{TREES}[0][1][0][0]", 0.5, f"{TREES}[0][1][0]", "feature the number 0.5 is not among"),
    (
        "ensemble",
        f"{TREES}[0][1][0][1]",
        None,
        f"{TREES}[0][1][0]",
        "expected a number as threshold, found nothing",
    ),
    (
        "ensemble",
        f"{TREES}[0][1][0][2][3]",
        [[1], None],
        None,
        "a leaf of 1 values where the first leaf has 2",
    ),
    ("ensemble", f"{TREES}[0][1][0][2][2]", [[], None], None, "expected finite numbers in a leaf"),
    ("ensemble", f"{TREES}[0][1][0][2][2]", [["a"], None], None, "expected finite numbers in a leaf"),
    ("ensemble", f"{TREES}[0][1][0][2][2]", [[1, 1], 0], None, "expected a node"),
    ("image", "image_network", None, None, "expected an object with 'metadata', found nothing"),
    ("image", f"{METADATA}.input_image_shape", [8], None, "expected \\[width, height, channels\\]"),
    ("image", f"{METADATA}.input_image_shape[0]", 0, None, "expected a whole number from 1"),
    ("image", f"{METADATA}.rescale_type", "stretch", None, "expected one of warp, pad, crop, found the text"),
    ("image", f"{METADATA}.loading_method", REMOVE, METADATA, "'loading_method' is missing"),
    ("image", f"{METADATA}.loading_method", "foo", None, "expected one of normalizing, centering"),
    (
        "image",
        f"{METADATA}.mean_image",
        [1, 2],
        None,
        "expected a mean image \\[6, 8, 3\\], found \\[2\\]",
    ),
    (
        "image",
        f"{METADATA}.mean_image",
        weights(8, 6, 3),
        None,
        "expected a mean image .* found \\[8, 6, 3\\]",
    ),
    ("image", "image_network.layers", [], None, "the network has no layers"),
    ("image", f"{CONVOLUTION}.kernel", weights(3, 3, 4, 4), CONVOLUTION, "the kernel has 4 channels"),
    (
        "image",
        f"{CONVOLUTION}.kernel",
        weights(9, 9, 3, 4),
        CONVOLUTION,
        "a window of \\(9, 9\\) pixels does not fit",
    ),
    (
        "image",
        f"{CONVOLUTION}.kernel[2][0][1]",
        [1],
        f"{CONVOLUTION}.kernel",
        "\\[2\\]\\[0\\]\\[1\\] has 1 of 4",
    ),
    ("image", f"{CONVOLUTION}.strides", REMOVE, CONVOLUTION, "'strides' is missing"),
    ("image", f"{CONVOLUTION}.strides", [1, 2, 3], None, "expected \\[height, width\\], found a list of 3"),
    ("image", f"{CONVOLUTION}.strides", 0, None, "expected a whole number from 1, found the number 0"),
    ("image", f"{CONVOLUTION}.padding", "full", None, "expected one of same, valid, found the text 'full'"),
    (
        "image",
        "image_network.layers[0].padding",
        [1, 1],
        "image_network.layers[0].padding[0]",
        "expected a list",
    ),
    (
        "image",
        "image_network.layers[0].padding[1]",
        [0, -1],
        "image_network.layers[0].padding",
        "not neg",
    ),
    ("image", "image_network.layers[4].depth_multiplier", 3, None, "the kernel has a depth multiplier of 2"),
    (
        "image",
        "image_network.layers[9]",
        REMOVE,
        "preprocess[0]",
        "returns f32.*: next to other columns, expected a vector",
    ),
    (
        "detector",
        "preprocess[0]",
        {"type": "numeric", "index": 0, "mean": 0, "stdev": 1},
        "preprocess",
        "one column",
    ),
    ("detector", f"{METADATA}.input_image_shape", [16, 8, 3], None, "expected a square"),
    ("detector", f"{METADATA}.outputs", [], None, "a detector needs at least one branch"),
    ("detector", f"{METADATA}.outputs[0].input", 4, None, "there is no layer 4; the image network has 4"),
    (
        "detector",
        f"{METADATA}.outputs[0].strides",
        8,
        f"{METADATA}.outputs[0]",
        "expected 2 × 2 cells of 8 pixels",
    ),
    ("detector", f"{METADATA}.outputs[0].anchors", [[1, 2, 3]], f"{METADATA}.outputs[0]", "anchors are f32"),
    ("detector", f"{METADATA}.outputs[0].anchors", [[1, 2]] * 3, f"{METADATA}.outputs[0]", "expected f32"),
    (
        "structure",
        "image_network.layers[0].number_of_filters",
        REMOVE,
        "image_network.layers[0]",
        "is missing",
    ),
    ("structure", "layers[0].number_of_nodes", 2**31 - 1, "layers[0].weights", "numbers is too large"),
]


@pytest.mark.parametrize(("kind", "path", "value", "where", "message"), FAULTS, ids=range(len(FAULTS)))
def test_fault(kind, path, value, where, message):
    check(change(DOCUMENTS[kind](), path, value), message, path if where is None else where)


def test_the_documents_that_the_faults_change_are_sound():
    for kind in {fault[0] for fault in FAULTS}:
        import_graph(DOCUMENTS[kind]())


def test_a_fault_deep_in_a_tree_tells_the_depth():
    document = network([{"type": "activation", "activation_function": None}], trees=[[[0, 5], [tree(0)]]])
    node = document["trees"][0][1][0] = [0, 0.5, [[1], None], None]
    for _ in range(40):
        node[3] = [0, 0.5, [[1], None], None]
        node = node[3]
    node[3] = [7, 0.5, [[1], None], [[1], None]]
    check(document, r"the 5 of the range \(at a node 41 levels deep\)", "trees[0][1][0]")


ID = "5f1a0000000000000000abcd"


@pytest.mark.parametrize(
    ("resource", "message"),
    [
        ({"resource": f"ensemble/{ID}"}, "this is a BigML ensemble, not a deepnet: download a deepnet"),
        ({"resource": f"logisticregression/{ID}"}, "this is a BigML logisticregression, not a deepnet"),
        ({"resource": f"public/model/{ID}"}, "this is a BigML model, not"),
        (
            {"resource": f"deepnet/{ID}", "status": {"code": 3, "message": "training"}},
            "this deepnet is not finished, so it has no network: 'training'",
        ),
        (
            {"resource": f"deepnet/{ID}", "status": {"code": -1, "message": "out of \x1b[2J time" * 100}},
            r"BigML reports an error instead of a deepnet: 'out of \\x1b\[2J time.{,200}$",
        ),
        ({"status": {"code": -1204, "message": "Id does not exist"}}, "instead of a deepnet: 'Id does not"),
        ({"status": {"code": 1}}, "not finished, so it has no network: 'no message'"),
        ({"resource": f"deepnet/{ID}", "status": {"code": 5}}, "this document contains no deepnet"),
        ({"resource": f"<b>/{ID}"}, "this document contains no deepnet"),
        ({"resource": 3, "status": [{"code": 1}]}, "this document contains no deepnet"),
        ({"status": {"code": "1", "message": 3}}, "this document contains no deepnet"),
    ],
)
def test_a_resource_without_a_network_is_named(resource, message):
    check(resource, message)
    check({"code": 200, "object": resource}, message)
    check(resource | {"object": {"deepnet": {}}}, message)


def test_no_deepnet():
    check({"a": 1, "b": 2}, "this document contains no deepnet: .* found the keys 'a', 'b'")
    check({}, r"found the keys \(none\)")
    check(
        {"network": {"weights": []}},
        "^network: expected a network with layers or networks; found the keys 'weights'",
    )
    check({f"key {i}": i for i in range(100)}, r"'key 11', … \(100 in all\)")


def test_no_column_gives_features():
    column = {"type": "categorical", "index": 0, "values": []}
    check({**network([]), "preprocess": [column]}, "the columns have no features", "preprocess")


def test_no_image_network_to_extract_features_with():
    with pytest.raises(DocumentError, match="image_network is missing"):
        import_graph(typed(), {"extract_image_features": True})
    document = change(image(), "image_network.layers", [{"type": "flatten"}])
    with pytest.raises(DocumentError, match=r"image_network\.layers: features end at one of global_average"):
        import_graph(document, {"extract_image_features": True})


def test_settings_that_contradict():
    settings = {"output_unfiltered_boxes": True, "pad_bounding_box_output": True}
    with pytest.raises(SettingsError, match="exclude each other"):
        import_graph(detector(), settings)
    with pytest.raises(SettingsError, match="unknown setting 'foo'"):
        import_graph(typed(), {"foo": 1})


def test_messages_stay_short_and_printable():
    document = change(typed(), "layers[0].activation_function", "x" * 100_000)
    with pytest.raises(DocumentError) as caught:
        import_graph(document)
    assert len(str(caught.value)) < 500
    document = change(typed(), "output_exposition.values[0]", "\ud800")
    check(document, "a lone surrogate", "output_exposition.values[0]")


def test_sources_of_faults_are_kept():
    """The reason that the graph gave stands behind the error."""
    for document in (legacy_network(), ensemble(), structure()):
        import_graph(document)
    with pytest.raises(DocumentError) as caught:
        import_graph(change(typed(), "layers[0].offset", weights(3)))
    assert caught.value.__cause__ is not None
