"""Writes the C header of native code: its function, sizes and labels, and the encoder of rows."""

from __future__ import annotations

from collections.abc import Iterator

from sensenet.backends.c_code.declarations import write_declarations
from sensenet.backends.c_code.literals import comment_on
from sensenet.backends.native.names import HEAD
from sensenet.backends.native.plan import INPUT, OUTPUT, Plan
from sensenet.signature import Signature

FUNCTION = """\
#ifdef __cplusplus
extern "C" {{
#endif
/* Answers n rows: `rows` has {upper}_INPUTS float32 for each, one row after the other, and `out` gets
   {upper}_OUTPUTS for each; they do not overlap. Returns 0, or 1 if one is NULL and n is not 0.
   Threads may call it at the same time. */
int {prefix}_predict(const float *rows, size_t n, float *out);
#ifdef __cplusplus
}}
#endif
"""


def write_header(plan: Plan, signature: Signature, prefix: str, made_for: str, stack: int) -> bytes:
    """Return the header; `made_for` says for which compiler or processor the code is."""
    return "\n".join(_write(plan, signature, prefix, made_for, stack)).encode("ascii")


def _write(plan: Plan, signature: Signature, prefix: str, made_for: str, stack: int) -> Iterator[str]:
    upper = prefix.upper()
    yield f"{HEAD}\n   The network {comment_on(signature.name)}, {made_for}. For C99, and for C++11. */"
    yield f"#ifndef SENSENET_{upper}_NATIVE_H\n#define SENSENET_{upper}_NATIVE_H\n"
    yield "#include <stddef.h>\n#include <stdint.h>\n#include <string.h>\n"
    encodes = bool(signature.columns)
    source = f", which {prefix}_encode writes" if encodes else ""
    yield f"#define {upper}_INPUTS {plan.buffers[INPUT].width} /* float32 of a row{source} */"
    yield f"#define {upper}_OUTPUTS {plan.buffers[OUTPUT].width} /* float32 of the answer for a row */"
    yield f"#define {upper}_STACK {stack} /* bytes of the stack for numbers between steps, in a call */"
    if len(plan.outputs) > 1:
        yield "/* The first number of each output in an answer: */"
        for name, (place, _) in plan.outputs.items():
            yield f"/* {place.start}: {comment_on(name)}, of {place.width} */"
    yield ""
    yield FUNCTION.format(prefix=prefix, upper=upper)
    yield from write_declarations(signature, prefix, encodes=encodes)
    yield "#endif\n"
