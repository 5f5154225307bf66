"""Hostile `.keras` files: nothing that their configuration names is made, and little memory is taken."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.documents import FEATURES, dense, network, normalization
from support.keras_2 import only_under_keras_3, run_under_keras_2

import sensenet
from sensenet.backends import get_target
from sensenet.backends.keras.configuration import read_configuration
from sensenet.errors import ArtifactError, SensenetError

pytest.importorskip("tensorflow")
pytestmark = pytest.mark.tensorflow

DROPOUT = {"type": "dropout", "dropout_type": "zero", "rate": 0.5}
DOCUMENT = network([dense(FEATURES, 3, "mish"), normalization(3), DROPOUT, dense(3, 2, "softmax")])

MARK = "hostile"
"""A text in all objects below that no file of ours has."""

OBJECTS = {
    "lambda": {
        "module": "keras.layers",
        "class_name": "Lambda",
        "registered_name": None,
        "config": {"name": MARK, "function": {"class_name": "function", "module": "os", "config": "abort"}},
    },
    "function": {
        "module": "os",
        "class_name": "function",
        "config": "abort",
        "registered_name": MARK,
    },
    "builtin": {
        "module": "builtins",
        "class_name": "function",
        "config": MARK,
        "registered_name": "function",
    },
    "bytecode": {"class_name": "__lambda__", "config": {"value": MARK}},
    "SavedModel": {
        "module": "keras.layers",
        "class_name": "TFSMLayer",
        "registered_name": None,
        "config": {"name": "x", "filepath": MARK},
    },
    "registered class": {"module": None, "class_name": "X", "registered_name": f"{MARK}>X", "config": {}},
    "old form": {"class_name": MARK, "config": {}},
    "module alone": {"module": MARK},
    "type": {
        "class_name": "__typespec__",
        "spec_name": MARK,
        "module": "os",
        "config": [],
        "registered_name": "",
    },
}


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The members of a saved file."""
    path = sensenet.compile(DOCUMENT, "keras", optimize=0).save(tmp_path_factory.mktemp("keras") / "m.keras")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def save(content, path, config):
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in {**content, "config.json": json.dumps(config)}.items():
            archive.writestr(name, member)
    return path


def check(content, config):
    """The configuration as Keras would get it."""
    signature = json.loads(content["metadata.json"])["sensenet"]
    return read_configuration(json.dumps(config).encode(), "m.keras", signature)


def find_places(value, place=()):
    """The way to every value in a JSON value but the outermost."""
    for key, below in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*place, key)
        if isinstance(below, dict | list):
            yield from find_places(below, (*place, key))


def replace(value, place, new):
    changed = copy.deepcopy(value)
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = new
    return changed


@pytest.mark.parametrize("name", OBJECTS)
def test_no_object_of_another_kind_comes_to_keras_at_any_place(content, name):
    config = json.loads(content["config.json"])
    refused = 0
    for place in find_places(config):
        try:
            checked = check(content, replace(config, place, OBJECTS[name]))
        except ArtifactError:
            refused += 1
        else:
            assert MARK not in json.dumps(checked.value), place
    assert refused > 100


@pytest.mark.parametrize("member", ["compile_config", "build_config", "shared_object_id", "more"])
def test_what_opening_does_not_need_is_left_out(content, member):
    config = json.loads(content["config.json"])
    for owner in (config, *config["config"]["layers"]):
        owner[member] = OBJECTS["lambda"]
    assert MARK not in json.dumps(check(content, config).value)


@pytest.mark.parametrize("text", ["sensenet>OpLayer", "get_file", "keras.utils.get_file", "Lambda", "K"])
def test_activations_are_those_of_the_list(content, text):
    config = json.loads(content["config.json"])
    layer = next(layer for layer in config["config"]["layers"] if layer["class_name"] == "Dense")
    layer["config"]["activation"] = text
    with pytest.raises(ArtifactError, match="has the activation"):
        check(content, config)


def test_code_of_the_standard_library_is_not_run(content, tmp_path):
    """A lambda layer that names a function, which both Keras take for safe at times."""
    config = json.loads(content["config.json"])
    ran = tmp_path / "ran"
    config["config"]["layers"].append(
        {
            "module": "keras.layers",
            "class_name": "Lambda",
            "registered_name": None,
            "name": "code",
            "inbound_nodes": [],
            "config": {
                "name": "code",
                "function": {
                    "module": "os",
                    "class_name": "function",
                    "config": "mkdir",
                    "registered_name": "mkdir",
                },
                "arguments": {"path": str(ran)},
            },
        }
    )
    with pytest.raises(ArtifactError, match=r"'code' is an object of keras.layers.Lambda"):
        get_target("keras").open(save(content, tmp_path / "m.keras", config))
    assert not ran.exists()


def change_layer(config, class_name, **members):
    layer = next(layer for layer in config["config"]["layers"] if layer["class_name"] == class_name)
    layer["config"].update(members)


HUGE = {
    "units": lambda config: change_layer(config, "Dense", units=10**9),
    "inputs": lambda config: change_layer(
        config, "InputLayer", batch_shape=[None, 10**9], batch_input_shape=[None, 10**9]
    ),
}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to measure memory")
@pytest.mark.parametrize("name", HUGE)
def test_a_small_file_makes_a_small_model(content, tmp_path, name):
    """The most memory since the process began to run this code; `ru_maxrss` would include its parent's."""
    config = json.loads(content["config.json"])
    HUGE[name](config)
    path = save(content, tmp_path / "m.keras", config)
    code = f"""if True:
        import pathlib, re
        from sensenet.backends import get_target
        from sensenet.errors import SensenetError
        try:
            get_target("keras").open(pathlib.Path({str(path)!r}))
        except SensenetError as error:
            print(type(error).__name__)
        print(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    error, kilobytes = result.stdout.split()
    assert error in ("ArtifactError", "LimitError")
    assert int(kilobytes) < 1 << 20


def test_an_opened_model_keeps_its_initializers(content, tmp_path):
    path = save(content, tmp_path / "m.keras", json.loads(content["config.json"]))
    model = get_target("keras").open(path).model
    (first, *_) = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
    assert type(first.kernel_initializer).__name__ == "GlorotUniform"
    model.save(tmp_path / "again.keras")
    get_target("keras").open(tmp_path / "again.keras")


@only_under_keras_3
def test_layers_that_do_not_take_their_inputs_are_refused(content, tmp_path):
    config = json.loads(content["config.json"])
    layers = config["config"]["layers"]
    layer = next(each for each in layers if each["class_name"] == "BatchNormalization")
    layer["inbound_nodes"][0]["kwargs"]["mask"] = 0
    with pytest.raises(ArtifactError, match="its layers cannot run"):
        get_target("keras").open(save(content, tmp_path / "m.keras", config))


def test_a_weight_that_no_layer_has_is_ignored_and_a_missing_one_refused(content, tmp_path):
    config = json.loads(content["config.json"])
    change_layer(config, "Dense", units=4)
    with pytest.raises(SensenetError, match="needs a weight"):
        get_target("keras").open(save(content, tmp_path / "m.keras", config))


def operations(config):
    """The operations of the models inside the model."""
    inner = [layer for layer in config["config"]["layers"] if layer["class_name"] == "Functional"]
    return [each for layer in inner for each in layer["config"]["layers"] if each["inbound_nodes"]]


def array(value, dtype="float32"):
    return {"class_name": "__numpy__", "config": {"value": value, "dtype": dtype}}


@only_under_keras_3
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([array([[1.0]] * 9), array([1.0] * 9)], "a call without a tensor"),
        ([None, array(["1"])], "is not a number"),
        ([None, array([[1.0], [1.0, 2.0]])], "inhomogeneous"),
        ([None, array([1.0], "object")], "has the operand"),
        ([None, array([1e300], "int32")], "OverflowError|cannot convert"),
        ([None, 0.5], "has the operand"),
        ([None, {"class_name": "__slice__", "config": {"start": 0.5, "stop": 1, "step": 1}}], "the operand"),
        ([None, OBJECTS["lambda"]], "has the operand an object of keras.layers.Lambda"),
    ],
)
def test_operations_are_called_on_tensors_and_plain_numbers(content, arguments, message):
    config = json.loads(content["config.json"])
    operation = next(each for each in operations(config) if each["class_name"] == "Subtract")
    (tensor, *_) = operation["inbound_nodes"][0]["args"]
    operation["inbound_nodes"][0]["args"] = [tensor if each is None else each for each in arguments]
    with pytest.raises(ArtifactError, match=message):
        check(content, config)


@only_under_keras_3
@pytest.mark.parametrize("name", ["Kron", "Repeat", "Tile", "Linspace", "Arange", "Vectorize", "Lambda"])
def test_operations_are_those_of_the_list(content, name):
    config = json.loads(content["config.json"])
    operations(config)[0].update(class_name=name, registered_name=name)
    with pytest.raises(ArtifactError, match="which sensenet does not write"):
        check(content, config)


@only_under_keras_3
def test_operations_and_models_are_not_put_elsewhere(content):
    """Operations stand in models inside the model, which hold nothing else."""
    config = json.loads(content["config.json"])
    layers = config["config"]["layers"]
    inner = next(layer for layer in layers if layer["class_name"] == "Functional")
    for place, what in ((layers, operations(config)[0]), (inner["config"]["layers"], inner)):
        place.append(copy.deepcopy(what))
        with pytest.raises(ArtifactError, match="which sensenet does not write"):
            check(content, config)
        place.pop()
    check(content, config)


@only_under_keras_3
def test_all_of_this_under_keras_2():
    run_under_keras_2(__file__)
