"""The target tfjs: damaged models are refused, however they are run."""

from __future__ import annotations

import pytest
from support.documents import typed
from support.graph_models import damage

import sensenet
from sensenet.backends.tfjs.graphs import read_graph
from sensenet.backends.tfjs.running import make_executable
from sensenet.errors import ArtifactError, LimitError
from sensenet.models.wrappers import create_model

ENGINES = [None, pytest.param("tfjs", marks=pytest.mark.tensorflow)]


def damage_weight(files, **entries):
    return damage(files, lambda m: m["weightsManifest"][0]["weights"][1].update(entries))


def fused(model):
    return next(node for node in model["modelTopology"]["node"] if "fused_ops" in node["attr"])


def damage_fused(files, **attributes):
    return damage(files, lambda m: fused(m)["attr"].update(attributes))


DAMAGES = {
    "not of sensenet": lambda files: damage(files, lambda m: m.pop("userDefinedMetadata")),
    "no topology": lambda files: damage(files, lambda m: m.pop("modelTopology")),
    "no manifest": lambda files: damage(files, lambda m: m.pop("weightsManifest")),
    "an unknown op": lambda files: damage(files, lambda m: m["modelTopology"]["node"][0].update(op="Foe")),
    "an output of no node": lambda files: damage(
        files, lambda m: m["signature"]["outputs"]["predictions"].update(name="nothing:0")
    ),
    "weights outside": lambda files: damage(
        files, lambda m: m["weightsManifest"][0].update(paths=["../group1-shard1of1.bin"])
    ),
    "a missing weight": lambda files: {"model.json": files["model.json"]},
    "short weights": lambda files: {**files, "group1-shard1of1.bin": files["group1-shard1of1.bin"][:-5]},
    "a file that cannot exist": lambda files: damage(
        files, lambda m: m["weightsManifest"][0].update(paths=["\ud800"])
    ),
    "a file whose name ends early": lambda files: damage(
        files, lambda m: m["weightsManifest"][0].update(paths=["group1\0"])
    ),
    "a shape with text": lambda files: damage_weight(files, shape=[2] * 40 + ["relu"]),
    "a shape of shapes": lambda files: damage_weight(files, shape=[2] * 40 + [[2]]),
    "a negative size": lambda files: damage_weight(files, shape=[-1]),
    "a weight of another dtype": lambda files: damage_weight(files, dtype="S0"),
    "a weight without dtype": lambda files: damage_weight(files, dtype=None),
    "a scale for each number": lambda files: damage_weight(
        files, dtype="float32", quantization={"dtype": "uint8", "scale": [[0.5]] * 9, "min": 0}
    ),
    "no fused ops": lambda files: damage_fused(files, fused_ops={"list": {}}),
    "fused ops of another type": lambda files: damage_fused(files, fused_ops={"type": "DT_FLOAT"}),
    "fused ops that are text": lambda files: damage_fused(files, fused_ops="x"),
    "an activation alone": lambda files: damage_fused(files, fused_ops={"list": {"s": ["UmVsdQ=="]}}),
    "two activations": lambda files: damage_fused(
        files, fused_ops={"list": {"s": ["Qmlhc0FkZA==", "UmVsdQ==", "UmVsdQ=="]}}
    ),
    "a fused op without bias": lambda files: damage(files, lambda m: fused(m)["input"].pop()),
    "cut JSON": lambda files: {**files, "model.json": files["model.json"][:-5]},
}


@pytest.mark.tensorflow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_models_are_told(tmp_path, kind, engine):
    pytest.importorskip("tensorflow")
    files = DAMAGES[kind](sensenet.compile(typed(), "tfjs").files)
    (tmp_path / "model").mkdir()
    for name, content in files.items():
        (tmp_path / "model" / name).write_bytes(content)
    with pytest.raises(ArtifactError, match="model") as caught:
        create_model(tmp_path / "model", engine=engine)
    assert len(str(caught.value).encode()) < 600


def damage_graph(files, **members):
    return damage(files, lambda m: m["userDefinedMetadata"]["sensenetGraph"].update(members))


GRAPH_DAMAGES = {
    "a lone surrogate": lambda files: damage_graph(files, text="\ud800"),
    "a number": lambda files: damage_graph(files, text=3),
    "no text": lambda files: damage_graph(files, text=""),
    "weights that are infinite": lambda files: damage_weight(
        files, quantization={"dtype": "uint8", "scale": float("inf"), "min": 0}
    ),
}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("kind", GRAPH_DAMAGES)
def test_damaged_graphs_are_refused(kind):
    files = GRAPH_DAMAGES[kind](sensenet.compile(typed(), "tfjs").files)
    with pytest.raises(ArtifactError, match=r"^the file: model\.json is "):
        read_graph(files, "the file")


MANY_BYTES = {
    "files that are repeated": lambda m: m["weightsManifest"][0]["paths"].extend(
        m["weightsManifest"][0]["paths"] * 2000
    ),
    "groups that are repeated": lambda m: m["weightsManifest"].extend(
        [{"paths": m["weightsManifest"][0]["paths"], "weights": []}] * 2000
    ),
}


@pytest.mark.tensorflow
@pytest.mark.parametrize("kind", MANY_BYTES)
def test_a_manifest_that_makes_much_of_small_files_is_refused(monkeypatch, kind):
    pytest.importorskip("tensorflow")
    files = damage(sensenet.compile(typed(), "tfjs").files, MANY_BYTES[kind])
    monkeypatch.setenv("SENSENET_MEMORY_LIMIT", "4KiB")
    for open_files in (read_graph, make_executable):
        with pytest.raises(LimitError, match=r"weight files needs .* the limit is 4\.0 KiB"):
            open_files(files, "the file")
