"""Networks by name, and documents that take pretrained weights: what they answer, and what is downloaded."""

from __future__ import annotations

import copy
import json
from functools import partial

import numpy as np
import pytest
from PIL import Image
from support.loopback import corrupt, status, truncate
from support.trained_networks import train

import sensenet
from sensenet.backends import get_target
from sensenet.backends.keras.weights import weighted_nodes
from sensenet.cli.compile import main as compile_command
from sensenet.cli.predict import main as predict_command
from sensenet.compiler.documents import import_document
from sensenet.errors import (
    ArtifactError,
    DocumentError,
    DownloadError,
    SettingsError,
    UnknownNetworkError,
)
from sensenet.frontend import import_graph
from sensenet.models.wrappers import convert, create_image_feature_extractor, create_model
from sensenet.pretrained import NETWORKS, get_pretrained_network, load_pretrained_weights
from sensenet.pretrained.download import Patience
from sensenet.settings import ensure_settings
from sensenet.signature import PIXEL_INPUT, PREDICTIONS

CLASSIFIER = "mobilenetv2"
DETECTOR = "tinyyolov4"
IMAGE = np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)
WANTED = {"load_pretrained_weights": True}
UNREACHABLE = "http://127.0.0.1:9/"
HASTE = partial(Patience, first_delay=0.0)


@pytest.fixture
def serve(server, cache):
    """Makes the server one of a network's weights; their place in the cache."""

    def serve(name):
        server.content = train(name).content
        return cache / f"{name}_weights_{NETWORKS[name].version}.h5"

    return serve


@pytest.fixture
def fill(serve):
    """Puts a network's weights into the cache; their place."""

    def fill(name):
        place = serve(name)
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(train(name).content)
        return place

    return fill


def paths(server):
    return [request[":path"] for request in server.requests]


def with_classes(*names):
    """The classifier on other classes: its own last layer, without weights."""
    document = get_pretrained_network(CLASSIFIER)
    document["layers"][0]["number_of_nodes"] = len(names)
    document["output_exposition"]["values"] = list(names)
    return document


# Answers


def test_a_classifier_by_name_answers_like_its_document(server, serve):
    serve(CLASSIFIER)
    model = create_model(CLASSIFIER)
    assert paths(server) == ["/networks/mobilenetv2_weights_31b538bd.h5"]
    expected = create_model(train(CLASSIFIER).document)
    answer = model(IMAGE)
    assert answer.tolist() == expected(IMAGE).tolist()
    assert np.ptp(answer) > 1e-4  # one that tells images apart
    assert model.classes == expected.classes
    assert model._preprocessors == [{"type": "image", "index": 0}]
    create_model(CLASSIFIER)
    assert len(server.requests) == 1


def test_a_detector_by_name_answers_like_its_document(serve):
    serve(DETECTOR)
    settings = {"bounding_box_threshold": 0.01}
    found = create_model(DETECTOR, settings)(IMAGE)
    assert found
    assert found == create_model(train(DETECTOR).document, settings)(IMAGE)


def test_an_extractor_by_name_takes_settings(fill):
    fill(CLASSIFIER)
    document = train(CLASSIFIER).document
    for settings in (None, {"color_space": "bgr", "rescale_type": "pad"}):
        extract = create_image_feature_extractor(CLASSIFIER, settings)
        features = extract(IMAGE)
        assert features.shape == (1, 1280)
        assert features.tolist() == create_image_feature_extractor(document, settings)(IMAGE).tolist()
        assert extract.settings.load_pretrained_weights is True


def test_a_file_made_by_name_opens_as_what_it_is(fill, tmp_path):
    fill(CLASSIFIER)
    convert(CLASSIFIER, None, tmp_path / "made.h5", "h5")
    again = create_model(get_pretrained_network(CLASSIFIER), engine="numpy")
    again.load_weights(tmp_path / "made.h5")
    saved = sensenet.compile(CLASSIFIER, "numpy").save(tmp_path / "made.npz")
    opened = create_model(saved, WANTED)
    assert opened(IMAGE).tolist() == again(IMAGE).tolist()
    with pytest.raises(SettingsError, match="load_pretrained_weights"):
        create_model(saved, {"load_pretrained_weights": False})


@pytest.mark.slow
def test_tflite_by_name_answers_like_the_document(fill):
    pytest.importorskip("ai_edge_litert")
    fill(CLASSIFIER)
    pixels = {PIXEL_INPUT: IMAGE[None].astype(np.float32)}
    named, expected = (
        get_target("tflite").load(sensenet.compile(source, "tflite")).run(pixels)[PREDICTIONS]
        for source in (CLASSIFIER, train(CLASSIFIER).document)
    )
    assert named.tolist() == expected.tolist()
    assert np.allclose(named, create_model(CLASSIFIER)(IMAGE), atol=1e-6)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_weights_are_loaded_into_keras_models(fill):
    pytest.importorskip("tensorflow")
    fill(CLASSIFIER)
    model = sensenet.compile(get_pretrained_network(CLASSIFIER), "keras", optimize=0).model
    load_pretrained_weights(model, CLASSIFIER)
    found = model(IMAGE[None].astype(np.float32)).numpy()
    assert np.allclose(found, create_model(CLASSIFIER)(IMAGE), atol=1e-6)
    place = fill("resnet18")
    with pytest.raises(ArtifactError, match=rf"{place.name}.*Remove that file"):
        load_pretrained_weights(model, "resnet18")


def test_weights_are_loaded_into_models(fill):
    fill(CLASSIFIER)
    model = create_model(get_pretrained_network(CLASSIFIER))
    load_pretrained_weights(model, CLASSIFIER)
    assert model(IMAGE).tolist() == create_model(CLASSIFIER)(IMAGE).tolist()
    place = fill("resnet18")
    with pytest.raises(ArtifactError, match=rf"{place.name} holds the weights of another.*Remove that file"):
        load_pretrained_weights(model, "resnet18")


@pytest.mark.parametrize("name", NETWORKS)
def test_documents_list_layers_in_the_order_of_files(name):
    document = get_pretrained_network(name)
    listed = [
        f"{prefix}{index}"
        for prefix, layers in (
            ("image_layer_", document["image_network"]["layers"]),
            ("layer_", document["layers"]),
        )
        for index, layer in enumerate(layers)
        if {"kernel", "depth_kernel", "gamma", "weights"} & layer.keys()
    ]
    assert [node.name for node in weighted_nodes(import_graph(document))] == listed


# Names


def test_a_file_goes_before_a_network_of_that_name(server, serve, tmp_path, monkeypatch):
    serve(CLASSIFIER)
    monkeypatch.chdir(tmp_path)
    (tmp_path / CLASSIFIER).write_text(json.dumps(get_pretrained_network("tinyyolov4")))
    assert create_model(CLASSIFIER).signature.classes[0] == "person"
    (tmp_path / CLASSIFIER).unlink()
    sensenet.compile(get_pretrained_network("tinyyolov4"), "numpy").save(tmp_path / "xception.npz")
    (tmp_path / "xception.npz").rename(tmp_path / "xception")
    assert create_model("xception").signature.classes[0] == "person"
    assert not server.requests
    (tmp_path / CLASSIFIER).mkdir()
    assert create_model(CLASSIFIER).signature.classes[0].startswith("tench")
    assert len(server.requests) == 1


@pytest.mark.parametrize("word", ["resnet", "ResNet50", "resnet-50", "model", "_"])
@pytest.mark.parametrize(
    "use",
    [sensenet.create_model, create_image_feature_extractor, lambda word: sensenet.compile(word, "numpy")],
)
def test_another_word_is_answered_with_the_names(server, cache, tmp_path, monkeypatch, use, word):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNetworkError, match=r"resnet50, .*, tinyyolov4") as caught:
        use(word)
    assert repr(word) in str(caught.value)
    assert not server.requests


def test_directories_and_paths_are_no_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    with pytest.raises(DocumentError, match="models: this is a directory"):
        create_model("models")
    with pytest.raises(DocumentError, match=r"resnet50\.json: no such file"):
        create_model("resnet50.json")
    with pytest.raises(DocumentError, match="resnet50: no such file"):
        create_model(tmp_path / "resnet50")


# What is downloaded, and when


@pytest.mark.parametrize(
    "use",
    [
        lambda weights: create_model(train(CLASSIFIER).document, WANTED),
        lambda weights: create_model(get_pretrained_network(CLASSIFIER)),
        lambda weights: create_model(CLASSIFIER, {"load_pretrained_weights": False}),
        lambda weights: create_image_feature_extractor(train(CLASSIFIER).document),
        lambda weights: sensenet.compile(CLASSIFIER, "numpy", weights=weights),
        lambda weights: sensenet.compile(
            get_pretrained_network(CLASSIFIER), "numpy", settings=WANTED, weights=weights
        ),
    ],
)
def test_nothing_is_downloaded_that_is_not_needed(server, cache, tmp_path, use):
    (tmp_path / "own.h5").write_bytes(train(CLASSIFIER).content)
    use(tmp_path / "own.h5")
    assert not server.requests
    assert not cache.exists()


def test_a_filled_cache_needs_no_server(fill, monkeypatch):
    fill(CLASSIFIER)
    monkeypatch.setenv("BIGML_SENSENET_URL", UNREACHABLE)
    assert create_model(CLASSIFIER)(IMAGE).shape == (1, 1000)


def test_an_unreachable_server_is_told_with_the_place_of_the_file(serve, monkeypatch):
    place = serve(CLASSIFIER)
    monkeypatch.setenv("BIGML_SENSENET_URL", UNREACHABLE)
    monkeypatch.setattr("sensenet.pretrained.download.Patience", HASTE)
    with pytest.raises(DownloadError, match=f"{UNREACHABLE}{place.name}.*put the file at {place}"):
        create_model(CLASSIFIER)


def test_a_file_that_the_server_does_not_have_is_told(server, serve):
    place = serve(CLASSIFIER)
    server.always = status(404)
    with pytest.raises(DownloadError, match=f"{place.name}.*404.*put the file at {place}"):
        create_image_feature_extractor(CLASSIFIER)
    assert not place.exists()


def test_the_version_of_a_document_names_the_file(server, serve):
    serve(CLASSIFIER)
    document = get_pretrained_network(CLASSIFIER)
    document["image_network"]["metadata"]["version"] = "0123abcd"
    create_model(document, WANTED)
    assert paths(server) == ["/networks/mobilenetv2_weights_0123abcd.h5"]


# Files that are not what they should be


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "truncated, damaged or not an h5 file"),
        (lambda content: b"<html>" * 50_000, "truncated, damaged or not an h5 file"),
        (lambda content: train("resnet18").content, "holds the weights of another network"),
        (lambda content: train(DETECTOR).content, "holds the weights of another network"),
    ],
)
def test_a_bad_file_in_the_cache_is_named(fill, damage, message):
    place = fill(CLASSIFIER)
    place.write_bytes(damage(place.read_bytes()))
    with pytest.raises(ArtifactError, match=f"{place}.* {message}") as caught:
        create_model(CLASSIFIER)
    assert "Remove that file to download it again from http://127.0.0.1" in str(caught.value)


def test_a_broken_download_goes_on_and_a_corrupt_one_begins_again(server, serve, monkeypatch):
    serve(CLASSIFIER)
    server.be_s3()
    server.script.extend([truncate(100_000), corrupt])
    monkeypatch.setattr("sensenet.pretrained.download.Patience", HASTE)
    expected = create_model(train(CLASSIFIER).document)
    assert create_model(CLASSIFIER)(IMAGE).tolist() == expected(IMAGE).tolist()
    assert len(server.requests) == 3


# Documents without weights


def test_the_setting_fills_the_image_network_alone_where_the_rest_is_another(fill):
    fill(CLASSIFIER)
    document = with_classes("cat", "dog", "none")
    filled, initial = create_model(document, WANTED), create_model(document)
    assert document == with_classes("cat", "dog", "none")
    assert filled(IMAGE).shape == (1, 3)
    assert filled(IMAGE).tolist() != initial(IMAGE).tolist()
    extract = create_image_feature_extractor(document, WANTED)
    expected = create_image_feature_extractor(train(CLASSIFIER).document)
    assert extract(IMAGE).tolist() == expected(IMAGE).tolist()
    graphs = import_document(document, ensure_settings(WANTED)).graph, import_graph(document)
    head, initial_head = ({node.name: node.op for node in graph.nodes}["layer_0"] for graph in graphs)
    assert head == initial_head


def test_the_setting_fills_a_whole_network(fill):
    fill(CLASSIFIER)
    expected = create_model(CLASSIFIER)(IMAGE).tolist()
    resource = {"object": {"deepnet": {"network": get_pretrained_network(CLASSIFIER)}}}
    for source in (resource, json.dumps(resource), json.dumps(resource).encode()):
        assert create_model(source, WANTED)(IMAGE).tolist() == expected


def test_weights_go_to_each_image_of_a_row(fill):
    fill(CLASSIFIER)
    document = with_classes("same", "other")
    document["preprocess"].append({"type": "image", "index": 1})
    trained = copy.deepcopy(document)
    trained["image_network"] = train(CLASSIFIER).document["image_network"]
    row = [IMAGE, IMAGE[::-1]]
    assert create_model(document, WANTED)([row]).tolist() == create_model(trained)([row]).tolist()


def test_layers_that_have_weights_keep_them(fill):
    fill(CLASSIFIER)
    document = with_classes("cat", "dog")
    layers = document["image_network"]["layers"]
    own = np.full((3, 3, 3, 32), 0.01, np.float32)
    layers[0]["kernel"] = own.tolist()
    trained = copy.deepcopy(document)
    trained["image_network"]["layers"] = [
        layers[0],
        *copy.deepcopy(train(CLASSIFIER).document["image_network"]["layers"][1:]),
    ]
    assert create_model(document, WANTED)(IMAGE).tolist() == create_model(trained)(IMAGE).tolist()


def test_sizes_may_be_tuples(fill):
    fill(CLASSIFIER)
    document = get_pretrained_network(CLASSIFIER)
    document["image_network"]["layers"][0]["kernel_dimensions"] = (3, 3)
    assert create_model(document, WANTED)(IMAGE).tolist() == create_model(CLASSIFIER)(IMAGE).tolist()


def test_a_document_without_images_ignores_the_setting(server, cache):
    layer = {"type": "dense", "weights": [[2.0]], "offset": [1.0], "activation_function": "linear"}
    document = {
        "preprocess": [{"type": "numeric", "index": 0, "mean": 0, "stdev": 1}],
        "layers": [layer],
        "output_exposition": {"type": "numeric", "mean": 0, "stdev": 1},
    }
    assert create_model(document, WANTED)([3.0]).tolist() == [[7.0]]
    assert not server.requests


def change(path, value):
    """A function that puts a value into an image network, at a path of keys."""

    def apply(network):
        *keys, last = path
        for key in keys:
            network = network[key]
        if value is None:
            del network[last]
        else:
            network[last] = value

    return apply


BLOCK = {
    "type": "resnet_block",
    "convolution_path": [{"type": "batch_normalization", "gamma": "ones", "beta": "zeros"}],
    "identity_path": [],
}


def nest(block, depth):
    """The block inside blocks, that many."""
    for _ in range(depth):
        block = {**BLOCK, "convolution_path": [block]}
    return block


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change(["metadata", "base_image_network"], "mine"), "base_image_network: 'mine' has no pretrained"),
        (change(["metadata", "base_image_network"], 5), "base_image_network: expected text"),
        (change(["metadata", "base_image_network"], None), "metadata: 'base_image_network' is missing"),
        (change(["layers", -1], None), r"image_network\.layers: expected the 160 layers of mobilenetv2"),
        (change(["layers", 0, "type"], "flatten"), r'layers\[0\]\.type: expected "convolution_2d" as in'),
        (change(["layers", 0], BLOCK), r'layers\[0\]\.type: expected "convolution_2d" as in'),
        (change(["layers", 0], nest(BLOCK, 5000)), r'layers\[0\]\.type: expected "convolution_2d" as in'),
        (
            change(["layers", 0, "number_of_filters"], 16),
            r"layers\[0\]\.number_of_filters: expected 32 as in",
        ),
        (
            change(["layers", 0, "kernel_dimensions"], [5, 5]),
            r"layers\[0\]\.kernel_dimensions: expected \[3, 3\]",
        ),
        (change(["layers", 0, "bias"], "zeros"), r"layers\[0\]\.bias: expected nothing as in"),
        (change(["layers", 0, "kernel"], None), r'layers\[0\]\.kernel: expected "glorot_uniform" as in'),
    ],
)
def test_a_document_of_other_layers_is_refused_before_any_download(server, cache, edit, message):
    document = get_pretrained_network(CLASSIFIER)
    edit(document["image_network"])
    with pytest.raises(DocumentError, match=message):
        create_model(document, WANTED)
    assert not server.requests


# The commands


def test_commands_take_names(fill, tmp_path, monkeypatch, capsys):
    fill(CLASSIFIER)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(IMAGE).save("image.png")
    assert compile_command([CLASSIFIER, "-t", "numpy"]) == 0
    for model in (CLASSIFIER, f"{CLASSIFIER}.npz"):
        assert predict_command([model, "image.png"]) == 0
    named, compiled = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert named["prediction"] == compiled["prediction"]


def test_a_topology_is_written_by_name_without_a_download(server, cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert compile_command(["tinyyolov4", "--strip-weights"]) == 0
    assert json.loads((tmp_path / "tinyyolov4.stripped.json").read_text()) == get_pretrained_network(
        "tinyyolov4"
    )
    assert not server.requests


def test_commands_list_the_names(cache, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert compile_command(["resnet51", "-t", "numpy"]) == 1
    assert predict_command(["resnet51", "image.png"]) == 1
    for line in capsys.readouterr().err.splitlines():
        assert "neither a file 'resnet51' nor a pretrained network" in line
        assert "resnet50, resnet18" in line
