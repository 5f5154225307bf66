"""Damaged .tflite files are refused before an interpreter sees them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support import documents
from support.tflite_damage import (
    begin_at,
    clamp_the_counter,
    compare_the_other_way,
    compare_with_what_changes,
    count_by,
    count_something_else,
    count_up_to,
    cut_a_buffer,
    double_a_name,
    drop_options,
    fill_the_first_buffer,
    go_on_or_count,
    go_on_without_counting,
    name_metadata,
    nest_the_loop,
    pass_the_counter_on,
    read_its_result,
    set_code,
    set_constant,
    set_input,
    set_option,
    set_scale,
    set_tensor,
    swap_operators,
    take_other_options,
    tree_of,
    write_a_constant,
    write_twice,
)

import sensenet
from sensenet.backends.tflite.flatbuffer import import_schema, pack, unpack
from sensenet.backends.tflite.verify import verify
from sensenet.errors import ArtifactError, LimitError
from sensenet.ir.ops.control import MOST_STEPS

pytest.importorskip("ai_edge_litert")


CUSTOM = 32
READ_VARIABLE = 143
UNBOUNDED = "a loop without a bound on its steps"


@pytest.mark.parametrize(
    ("kind", "damage", "message"),
    [
        ("image", set_code(CUSTOM, "FlexWriteFile"), "a field of OperatorCode"),
        ("image", set_code(CUSTOM), "operator 32, which sensenet does not run"),
        ("image", set_code(READ_VARIABLE), "operator 143, which sensenet does not run"),
        ("image", set_input("CONV_2D", 0, 10_000), "an input of CONV_2D"),
        ("image", set_input("CONV_2D", 1, -2), "an input of CONV_2D"),
        ("image", set_input("CONV_2D", 2, -1), "the types of CONV_2D"),
        ("image", swap_operators, "an input of"),
        ("detector", read_its_result, "an input of RESHAPE"),
        ("image", write_twice, "an output of"),
        ("image", write_a_constant, "an output of CONV_2D"),
        ("image", cut_a_buffer, "the size of a buffer"),
        ("image", fill_the_first_buffer, "the first buffer"),
        ("image", name_metadata, "the metadata"),
        ("image", drop_options, "the options of CONV_2D"),
        ("image", take_other_options, "the kind of options of CONV_2D"),
        ("image", set_option("CONV_2D", "strideH", 0), "CONV_2D is not sound"),
        ("image", set_option("CONV_2D", "strideW", -1), "CONV_2D is not sound"),
        ("image", set_option("CONV_2D", "dilationHFactor", 0), "CONV_2D is not sound"),
        ("image", set_option("CONV_2D", "padding", 7), "CONV_2D is not sound"),
        ("image", set_option("CONV_2D", "fusedActivationFunction", 9), "the activation of CONV_2D"),
        ("image", set_option("DEPTHWISE_CONV_2D", "depthMultiplier", 0), "DEPTHWISE_CONV_2D is not sound"),
        ("image", set_option("MAX_POOL_2D", "filterHeight", 0), "MAX_POOL_2D is not sound"),
        ("image", set_option("CONCATENATION", "axis", 4), "CONCATENATION is not sound"),
        ("image", set_option("FULLY_CONNECTED", "weightsFormat", 1), "FULLY_CONNECTED is not sound"),
        ("image", set_constant("PAD", 1, [[0, 0], [-1, 0], [0, 1], [0, 0]]), "PAD is not sound"),
        ("image", set_constant("PAD", 1, [[0, 0]]), "PAD is not sound"),
        ("image", set_constant("MEAN", 1, [1, 9]), "MEAN is not sound"),
        ("detector", set_constant("RESHAPE", 1, [-1, -1]), "RESHAPE is not sound"),
        ("image", set_tensor("CONV_2D", 0, isVariable=True), "the shape of a tensor"),
        ("image", set_tensor("CONV_2D", 1, type=3), "a tensor"),
        ("image", set_tensor("CONV_2D", 1, type=2), "the types of CONV_2D"),
        ("image", set_tensor("CONV_2D", 1, buffer=999), "a tensor"),
        ("image", set_tensor("CONV_2D", 1, shape=np.int32([-4, 3, 3, -3])), "the shape of a tensor"),
        ("image", set_tensor("CONV_2D", 2, shape=np.int32([2, 2])), "CONV_2D is not sound"),
        ("image", set_tensor("MAX_POOL_2D", 0, shapeSignature=np.int32([1])), "the shape of a"),
        ("detector", double_a_name, "the names of outputs"),
        ("detector", set_option("WHILE", "condSubgraphIndex", 0), "a subgraph of a loop"),
        ("detector", set_option("WHILE", "bodySubgraphIndex", 1), "a subgraph of a loop"),
        ("detector", set_option("WHILE", "bodySubgraphIndex", 3), "a subgraph of a loop"),
        ("detector", count_by(0), UNBOUNDED),
        ("detector", count_by(-1), UNBOUNDED),
        ("detector", count_by(2**31 - 1), UNBOUNDED),
        ("detector", begin_at(-(2**31)), UNBOUNDED),
        ("detector", count_up_to(MOST_STEPS + 1), UNBOUNDED),
        ("detector", clamp_the_counter, UNBOUNDED),
        ("detector", pass_the_counter_on, UNBOUNDED),
        ("detector", count_something_else, UNBOUNDED),
        ("detector", compare_the_other_way, UNBOUNDED),
        ("detector", compare_with_what_changes, UNBOUNDED),
        ("detector", go_on_without_counting, UNBOUNDED),
        ("detector", go_on_or_count, UNBOUNDED),
        ("detector", nest_the_loop, "a loop in a loop"),
        ("detector", set_option("ARG_MAX", "outputType", 0), "the type of ARG_MAX"),
        ("detector", set_constant("STRIDED_SLICE", 3, [0, 1, 1, 1, 1]), "STRIDED_SLICE is not sound"),
        ("detector", set_option("GATHER", "batchDims", 5), "GATHER is not sound"),
        ("detector", set_option("PACK", "valuesCount", 3), "PACK is not sound"),
    ],
)
def test_damaged_files_are_refused(kind, damage, message):
    tree = tree_of(kind)
    verify(bytes(pack(tree)), "the file")
    damage(tree)
    with pytest.raises(ArtifactError, match=f"^the file: .*{message}"):
        verify(bytes(pack(tree)), "the file")


@pytest.mark.parametrize(
    "damage",
    [
        set_scale(0.0),
        set_scale(-1.0),
        set_scale(math.nan),
        set_scale(math.inf),
        set_scale(1e-40),
        set_scale(1.0, 2.0),
        set_scale(*[1.0] * 32, axis=1),
        set_scale(*[1.0] * 32, axis=-1),
        set_scale(*[1.0] * 32, zero=3),
        set_scale(1.0, zero=128),
        set_scale(),
    ],
)
def test_scales_are_checked(damage):
    layers = [documents.dense(5, 32), documents.dense(32, 32), documents.dense(32, 2, "softmax")]
    content = bytes(sensenet.compile(documents.network(layers), "tflite", quantize="dynamic"))
    tree = unpack(content)
    verify(content, "the file")
    damage(tree)
    with pytest.raises(ArtifactError, match=r"scale|zero point"):
        verify(bytes(pack(tree)), "the file")


CALL = "a call of the model"
HUGE = np.int32([1, 1 << 20, 1 << 20, 3])


@pytest.mark.parametrize(
    ("kind", "damage", "what"),
    [
        ("image", set_constant("RESIZE_BILINEAR", 1, [1 << 15, 1 << 15]), CALL),
        (
            "image",
            set_constant("PAD", 1, [[0, 0], [1 << 20, 0], [0, 1 << 20], [0, 0]]),
            CALL,
        ),
        (
            "image",
            set_tensor("CONV_2D", 0, shape=HUGE, shapeSignature=None),
            "a tensor",
        ),
        ("detector", set_constant("FILL", 0, [1 << 20, 1 << 12]), CALL),
    ],
)
def test_memory_is_bounded(kind, damage, what):
    tree = tree_of(kind)
    damage(tree)
    with pytest.raises(LimitError, match=f"the file: {what} needs .* of memory"):
        verify(bytes(pack(tree)), "the file")


def test_a_table_that_many_refer_to_counts_each_time():
    """Otherwise a small file could have any number of operators."""
    content = bytearray(sensenet.compile(documents.typed(), "tflite").__bytes__())
    model = import_schema().Model.GetRootAs(content, 0)
    offset = model._tab.Offset(6)
    vector = model._tab.Vector(offset)
    first = vector + int.from_bytes(content[vector : vector + 4], "little")
    at = len(content) + (-len(content)) % 4
    content += bytes(at - len(content))
    count = 1 << 20
    content += count.to_bytes(4, "little")
    field = model._tab.Pos + offset
    content[field : field + 4] = (at - field).to_bytes(4, "little")
    with pytest.raises(ArtifactError, match="the flatbuffer is damaged"):
        verify(bytes(content), "the file")
    assert first < at


@pytest.mark.parametrize("length", [0, 3, 8, 20, 100, 1000])
def test_truncated_files_are_refused(length):
    content = bytes(sensenet.compile(documents.typed(), "tflite"))[:length]
    with pytest.raises(ArtifactError, match=r"^the file: "):
        verify(content, "the file")
