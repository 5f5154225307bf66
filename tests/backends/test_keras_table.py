"""Each op with weights is a layer of Keras with those weights, in order; else training would miss them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.op_cases import CASES

from sensenet.backends.keras import table
from sensenet.backends.keras.configuration import LAYERS
from sensenet.backends.keras.table import LAYER_BUILDERS
from sensenet.backends.keras.weights import get_weights, set_weights
from sensenet.ir.op import Op
from sensenet.ir.types import Tensor
from sensenet.layer_schema import OP_WEIGHTS, SCHEMAS

ROW = "LAYER_BUILDERS of sensenet/backends/keras/table.py"


class Recorder:
    """Stands in for `keras.layers` and for our own classes: notes which are asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.names.add(name)
        return lambda *_, **__: object()


def make(op: type[Op], monkeypatch: pytest.MonkeyPatch) -> tuple[set[str], list[tuple[Op, Any]]]:
    """The names of the Keras classes that the cases of an op become, and each op with what is made of it."""
    layers = Recorder()
    monkeypatch.setattr(table, "make_layer_classes", Recorder)
    monkeypatch.setattr(table, "_activation_of", lambda function: function.value)
    nodes = [case.graph().node("node") for case in CASES[op]]
    ops = [with_unlike_weights(node.op) if op in OP_WEIGHTS else node.op for node in nodes]
    made = [LAYER_BUILDERS[op](layers, given, node, "layer") for given, node in zip(ops, nodes, strict=True)]
    return layers.names, list(zip(ops, made, strict=True))


def with_unlike_weights(op: Op) -> Op:
    """The op with other numbers in each weight, so that two in the wrong order differ."""
    weights = enumerate(get_weights(op).items(), 1)
    return set_weights(op, {name: Tensor.float32(x.float64 + 10 * number) for number, (name, x) in weights})


@pytest.mark.parametrize("op", OP_WEIGHTS, ids=lambda op: op.mnemonic())
def test_every_op_with_weights_is_a_keras_layer(op, monkeypatch):
    assert op in LAYER_BUILDERS, (
        f"layer, step 4: give {op.__name__} a row in {ROW}: without it, its weights are not trained"
    )
    for given, made in make(op, monkeypatch)[1]:
        assert made is not None, f"layer, step 4: return a layer for every {op.__name__} in {ROW}"
        wanted = [tensor.array.tolist() for tensor in get_weights(given).values()]
        assert [array.tolist() for array in made.weights] == wanted, (
            f"layer, step 4: return the weights of {op.__name__} in {ROW}, "
            "in their order in sensenet/layer_schema.py"
        )


@pytest.mark.parametrize("op", LAYER_BUILDERS, ids=lambda op: op.mnemonic())
def test_every_class_of_the_table_is_opened_again(op, monkeypatch):
    names, _ = make(op, monkeypatch)
    missing = names - {name for _, name, _ in LAYERS}
    assert not missing, f"layer, step 4: add {missing} to LAYERS of sensenet/backends/keras/configuration.py"


CALLED = {
    "dense": "dense layers",
    "batch_normalization": "batch normalization",
    "convolution_2d": "convolutions",
    "depthwise_convolution_2d": "convolutions",
    "separable_convolution_2d": "convolutions",
}
"""What docs/fine_tuning.md calls the layer types that have weights; others by their names, without _."""


def test_the_page_lists_the_layers_that_are_trained():
    page = (Path(__file__).parents[2] / "docs/fine_tuning.md").read_text("utf-8")
    (row,) = [line for line in page.splitlines() if "all their weights are trained" in line]
    wanted = {CALLED.get(kind, kind.replace("_", " ")) for kind, schema in SCHEMAS.items() if schema.weights}
    listed = {name.strip() for name in row.split("|")[1].split(",")}
    assert listed == wanted, (
        f"layer, step 5: list {sorted(wanted)} in docs/fine_tuning.md, “all their weights are trained”; "
        "CALLED of tests/backends/test_keras_table.py has other names for them"
    )
