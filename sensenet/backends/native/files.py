"""Writes the files of a network: its code, and the header of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from sensenet.backends.c_code.literals import prefix_of
from sensenet.backends.native.emitting import Form, choose_processor
from sensenet.backends.native.header import write_header
from sensenet.backends.native.names import FORMS, HEAD, HEADER_SUFFIX, LLVM_HEAD, STEM
from sensenet.backends.native.objects import require_stack, stack_of_object, write_object
from sensenet.backends.native.planner import plan_graph
from sensenet.backends.native.source import stack_of_source, write_source
from sensenet.errors import SettingsError
from sensenet.ir.graph import Graph

COMMENTS = {"assembly": f"{HEAD} */\n", "llvm": f"{LLVM_HEAD}\n"}
"""How text of LLVM begins, by what it is."""


def write_files(
    graph: Graph,
    *,
    emit: str,
    triple: str | None,
    cpu: str | None,
    prefix: str | None,
    stack: int | None,
    exact: bool,
) -> Mapping[str, bytes]:
    """Return the files by name: the code, unless only the header is asked for, and the header.

    Takes the options of the target, and raises as its `build` does.
    """
    signature = graph.signature
    if signature.image is not None:
        raise SettingsError("native code takes rows of numbers: use -t tflite for networks of images")
    plan = plan_graph(graph, exact=exact)
    prefix = prefix or prefix_of(signature.name)
    files = {}
    if emit == "source":
        taken, made_for = stack_of_source(plan), "in C99"
        require_stack(stack, taken)
        files[STEM + FORMS[emit]] = write_source(plan, prefix, signature.name, exact=exact)
    else:
        taken, made_for = stack_of_object(plan, stack), "as machine code"
        if emit != "header":
            form = cast(Form, emit)
            processor = choose_processor(triple, cpu)
            made_for = f"for {processor.triple}, {processor.cpu}"
            code = write_object(plan, prefix, processor, stack, form, exact=exact)
            files[STEM + FORMS[emit]] = COMMENTS.get(emit, "").encode() + code
    header = write_header(plan, signature, prefix, made_for, taken)
    return {**files, STEM + HEADER_SUFFIX: header}
