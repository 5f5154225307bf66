"""Writes a plan as a module of LLVM's language with the function for C, and its constants."""

from __future__ import annotations

import re

import numpy as np

from sensenet.backends.native.emitting import Form, Probed, Processor, emit, probe
from sensenet.backends.native.module import MOST_ROWS, ROWS_TOGETHER, scratch_bytes, write_module
from sensenet.backends.native.plan import Plan, arrange_buffers
from sensenet.backends.native.rounding import replace_rounding
from sensenet.errors import SettingsError
from sensenet.ir.types import Array
from sensenet.limits import require_memory

USUAL_STACK = 16 * 1024
"""Bytes of the stack for numbers between steps, if nothing else is asked for."""

BYTES_OF_A_BYTE = 8
"""More than a byte of the constants takes as text, and again in LLVM."""

PREDICT = """\
@{prefix}_constants = internal constant [{length} x i8] c"{constants}", align 64

define i32 @{prefix}_predict(ptr %rows, {size} %n, ptr %out) #0 {{
  %scratch = alloca [{scratch} x i8], align 64
  %many = icmp ne {size} %n, 0
  %no_rows = icmp eq ptr %rows, null
  %no_out = icmp eq ptr %out, null
  %lacks = or i1 %no_rows, %no_out
  %wrong = and i1 %many, %lacks
  br i1 %wrong, label %refuse, label %answer
refuse:
  ret i32 1
answer:
  %count = {widened}
  call void @{prefix}_rows(ptr @{prefix}_constants, ptr %rows, i64 %count, ptr %out, ptr %scratch)
  ret i32 0
}}
"""


def rows_of_block(plan: Plan, stack: int | None) -> int:
    """Return how many rows are computed together, so that a call needs at most `stack` bytes.

    Raises SettingsError if one row needs more.
    """
    _, width = arrange_buffers(plan)
    require_stack(stack, scratch_bytes(width, 1))
    rows = max(1, ((stack or USUAL_STACK) - scratch_bytes(width, 0)) // (4 * max(1, width)))
    return min(MOST_ROWS, rows // ROWS_TOGETHER * ROWS_TOGETHER if rows >= ROWS_TOGETHER else rows)


def require_stack(stack: int | None, needed: int) -> None:
    """Raise SettingsError if the option `stack` has less than a row needs."""
    if stack is not None and stack < needed:
        raise SettingsError(f"the option stack is {stack}; one row needs {needed} bytes")


def stack_of_object(plan: Plan, stack: int | None) -> int:
    """Return the bytes of the stack for numbers between steps, given the most that there may be."""
    return scratch_bytes(arrange_buffers(plan)[1], rows_of_block(plan, stack))


def write_object(
    plan: Plan, prefix: str, processor: Processor, stack: int | None, form: Form, *, exact: bool
) -> bytes:
    """Return a network's code; raises UnknownTargetError for a processor that LLVM has no code for."""
    return emit(write_text(plan, prefix, probe(processor), stack, exact=exact), processor, form)


def write_text(plan: Plan, prefix: str, probed: Probed, stack: int | None, *, exact: bool = False) -> str:
    """Return the module with the function for C, for a processor that was probed.

    If it is `exact`, all products are rounded.
    """
    rows = rows_of_block(plan, stack)
    written = write_module(plan, probed.machine, f"{prefix}_rows", rows=rows, linkage="internal")
    require_memory(BYTES_OF_A_BYTE * written.constants.nbytes, "the constants of the network")
    predict = PREDICT.format(
        prefix=prefix,
        length=written.constants.nbytes,
        constants=escape(written.constants),
        scratch=written.scratch,
        size=probed.size_type,
        widened="add i64 %n, 0" if probed.size_type == "i64" else f"zext {probed.size_type} %n to i64",
    )
    text = choose_products(written.text, exact=exact)
    return f"{text if probed.rounds else replace_rounding(text)}\n{predict}"


FUSED = re.compile(r"^( *)(%\w+) = call (.+) @llvm\.fma\.\w+\(\3 (.+), \3 (.+), \3 (.+)\)$", re.MULTILINE)
"""A product that is added to, and rounded once."""

ROUNDED = r"\1\2.product = fmul \3 \4, \5\n\1\2 = fadd \3 \2.product, \6"


def choose_products(text: str, *, exact: bool) -> str:
    """Return a module whose products are rounded before they are added to: all of them if it is `exact`.

    Else those for processors that cannot do both at once, where LLVM would call `fmaf`, of the C library.
    """
    return FUSED.sub(ROUNDED, text) if exact else text.replace("@llvm.fma.", "@llvm.fmuladd.")


def escape(content: Array) -> str:
    """Return bytes as LLVM's language writes them, `\\` and two hexadecimal digits each."""
    digits = np.frombuffer(b"0123456789ABCDEF", np.uint8)
    text = np.empty((content.size, 3), np.uint8)
    text[:, 0] = ord("\\")
    text[:, 1], text[:, 2] = digits[content >> 4], digits[content & 15]
    return text.tobytes().decode("ascii")
