"""Damage of .tflite files: functions that change one thing in the tree of a flatbuffer."""

from __future__ import annotations

import copy

import numpy as np

import sensenet
from sensenet.backends.tflite.flatbuffer import import_schema, unpack
from sensenet.backends.tflite.kinds import KINDS
from sensenet.backends.tflite.verify import NAMES
from support import documents


def tree_of(kind, mode="none"):
    """The model of a document, all of which may be changed."""
    tree = unpack(bytes(sensenet.compile(documents.DOCUMENTS[kind](), "tflite", quantize=mode)))
    for graph in tree.subgraphs:
        for operator in graph.operators:
            operator.inputs, operator.outputs = operator.inputs.copy(), operator.outputs.copy()
    return tree


def find(tree, kind):
    """The first operator of a kind, and its subgraph."""
    for graph in tree.subgraphs:
        for operator in graph.operators:
            if NAMES[tree.operatorCodes[operator.opcodeIndex].builtinCode] == kind:
                return operator, graph
    raise LookupError(kind)


def set_option(kind, name, value):
    def damage(tree):
        setattr(find(tree, kind)[0].builtinOptions, name, value)

    return damage


def set_input(kind, place, number):
    def damage(tree):
        inputs = find(tree, kind)[0].inputs
        inputs[place] = number

    return damage


def set_constant(kind, place, numbers):
    """Another constant of whole numbers as an operand."""

    def damage(tree):
        operator, graph = find(tree, kind)
        buffer = import_schema().BufferT()
        buffer.data = np.array(numbers, np.int32)
        tree.buffers.append(buffer)
        tensor = import_schema().TensorT()
        tensor.name, tensor.type, tensor.buffer = "damage", 2, len(tree.buffers) - 1
        tensor.shape = np.array(np.shape(numbers), np.int32)
        graph.tensors.append(tensor)
        operator.inputs[place] = len(graph.tensors) - 1

    return damage


def set_tensor(kind, place, **members):
    """Other members of the tensor that an operator reads at a place."""

    def damage(tree):
        operator, graph = find(tree, kind)
        for name, value in members.items():
            setattr(graph.tensors[operator.inputs[place]], name, value)

    return damage


def set_code(number, custom=None):
    def damage(tree):
        code = tree.operatorCodes[0]
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.customCode = custom

    return damage


def swap_operators(tree):
    operators = tree.subgraphs[0].operators
    operators[0], operators[-1] = operators[-1], operators[0]


def read_its_result(tree):
    operator, _ = find(tree, "RESHAPE")
    operator.inputs[0] = operator.outputs[0]


def write_twice(tree):
    graph = tree.subgraphs[0]
    graph.operators.append(graph.operators[-1])


def write_a_constant(tree):
    operator, _ = find(tree, "CONV_2D")
    operator.outputs[0] = operator.inputs[1]


def cut_a_buffer(tree):
    operator, graph = find(tree, "CONV_2D")
    buffer = tree.buffers[graph.tensors[operator.inputs[1]].buffer]
    buffer.data = np.array(bytearray(buffer.data)[:-4], np.uint8)


def fill_the_first_buffer(tree):
    tree.buffers[0].data = np.zeros(4, np.uint8)


def name_metadata(tree):
    tree.metadata[0].name = "buffer_location"


def double_a_name(tree):
    outputs = tree.signatureDefs[0].outputs
    outputs[1].name = outputs[0].name


def drop_options(tree):
    operator, _ = find(tree, "CONV_2D")
    operator.builtinOptions, operator.builtinOptionsType = None, 0


def take_other_options(tree):
    operator, _ = find(tree, "CONV_2D")
    operator.builtinOptions = import_schema().AddOptionsT()
    operator.builtinOptionsType = import_schema().BuiltinOptions.AddOptions


def set_scale(*scales, axis=0, zero=0):
    """Other scales of an int8 kernel."""

    def damage(tree):
        operator, graph = find(tree, "FULLY_CONNECTED")
        for operator in graph.operators:
            for index in operator.inputs:
                quantization = graph.tensors[index].quantization if index >= 0 else None
                if quantization is not None and quantization.scale is not None:
                    quantization.scale = np.array(scales, np.float32)
                    quantization.zeroPoint = np.full(len(scales), zero, np.int64)
                    quantization.quantizedDimension = axis

    return damage


def loop_of(tree):
    """The operator of a detector's loop, and its condition and body."""
    operator, _ = find(tree, "WHILE")
    options = operator.builtinOptions
    return operator, tree.subgraphs[options.condSubgraphIndex], tree.subgraphs[options.bodySubgraphIndex]


def producer_of(graph, index):
    (found,) = [operator for operator in graph.operators if index in operator.outputs]
    return found


def set_number(tree, graph, operator, place, number):
    """Another whole number as an operand, of as many axes as the old one."""
    old = graph.tensors[operator.inputs[place]]
    buffer = import_schema().BufferT()
    buffer.data = np.array([number], np.int32)
    tree.buffers.append(buffer)
    tensor = import_schema().TensorT()
    tensor.name, tensor.type, tensor.buffer, tensor.shape = "damage", 2, len(tree.buffers) - 1, old.shape
    graph.tensors.append(tensor)
    operator.inputs[place] = len(graph.tensors) - 1


def count_by(number):
    def damage(tree):
        _, _, body = loop_of(tree)
        set_number(tree, body, producer_of(body, body.outputs[-1]), 1, number)

    return damage


def begin_at(number):
    def damage(tree):
        operator, _, _ = loop_of(tree)
        set_number(tree, tree.subgraphs[0], operator, -1, number)

    return damage


def comparison_of(condition):
    both = producer_of(condition, condition.outputs[0])
    return producer_of(condition, both.inputs[1])


def count_up_to(number):
    def damage(tree):
        _, condition, _ = loop_of(tree)
        set_number(tree, condition, comparison_of(condition), 0, number)

    return damage


def clamp_the_counter(tree):
    _, _, body = loop_of(tree)
    producer_of(body, body.outputs[-1]).builtinOptions.fusedActivationFunction = 3


def pass_the_counter_on(tree):
    _, _, body = loop_of(tree)
    body.outputs = np.array([*body.outputs[:-1], body.inputs[-1]], np.int32)


def count_something_else(tree):
    _, _, body = loop_of(tree)
    operator = producer_of(body, body.outputs[-1])
    operator.inputs[0] = operator.inputs[1]


def compare_the_other_way(tree):
    _, condition, _ = loop_of(tree)
    operator = comparison_of(condition)
    operator.inputs = operator.inputs[::-1].copy()


def compare_with_what_changes(tree):
    _, condition, _ = loop_of(tree)
    operator = comparison_of(condition)
    operator.inputs = operator.inputs[[1, 1]].copy()


def go_on_without_counting(tree):
    _, condition, _ = loop_of(tree)
    condition.outputs = producer_of(condition, condition.outputs[0]).inputs[:1]


def go_on_or_count(tree):
    """A loop that goes on if either side of its condition is true."""
    code = import_schema().OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = KINDS["LOGICAL_OR"].number
    code.version = 1
    tree.operatorCodes.append(code)
    _, condition, _ = loop_of(tree)
    operator = producer_of(condition, condition.outputs[0])
    operator.opcodeIndex = len(tree.operatorCodes) - 1
    operator.builtinOptions, operator.builtinOptionsType = None, 0


def nest_the_loop(tree):
    operator, _, body = loop_of(tree)
    nested = copy.deepcopy(operator)
    nested.inputs = body.inputs.copy()
    body.operators.append(nested)
