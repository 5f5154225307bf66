"""Writes a plan as a module of LLVM's language: one function that answers any number of rows.

    void NAME(const void *constants, const float *rows, int64_t count, float *answers, void *scratch)

The rows are f32[count, columns], the answers f32[count, outputs], both without gaps. `scratch` holds what is
between steps, `Written.scratch` bytes. The function computes a block of rows at a time, step by step, so that
numbers between steps stay in the processor's cache. It calls nothing and keeps nothing, so threads may call
it side by side with scratch of their own.
"""

from __future__ import annotations

from sensenet.backends.native.code import Code, Machine
from sensenet.backends.native.llvm import FunctionWriter, Register
from sensenet.backends.native.plan import INPUT, OUTPUT, Place, Plan, arrange_buffers
from sensenet.backends.native.steps import write_step
from sensenet.ir.types import Array
from sensenet.records import frozen

BLOCK_NUMBERS = 24 * 1024
"""The numbers of a block of rows, between steps, that fit the processor's cache: 96 KiB."""

MOST_ROWS = 960
"""The most rows of a block."""

ROWS_TOGETHER = 24
"""Blocks have a multiple of this number of rows, which products and walks divide without a rest."""


@frozen(kw_only=True, eq=False)
class Written:
    """A module's text, its constants (uint8), and the bytes of scratch that a call needs."""

    text: str
    constants: Array
    scratch: int


def write_module(
    plan: Plan, machine: Machine, name: str, *, rows: int | None = None, linkage: str = ""
) -> Written:
    """Return the module of a plan, for a machine; `rows` is how many are computed together."""
    starts, width = arrange_buffers(plan)
    if rows is None:
        rows = block_rows(width + plan.buffers[INPUT].width + plan.buffers[OUTPUT].width)
    code = Code(machine, [buffer.width for buffer in plan.buffers])
    parameters = (
        "ptr noalias readonly %constants",
        "ptr %rows",
        "i64 %n",
        "ptr %answers",
        "ptr noalias %scratch",
    )
    main = FunctionWriter(name, parameters, code.declared, linkage=linkage)

    def answer_block(start: Register) -> None:
        left = main.integer("sub", "%n", start)
        short = main.assign(f"icmp slt i64 {left}, {rows}")
        main.emit(f"%count = select i1 {short}, i64 {left}, i64 {rows}")
        bases = {
            INPUT: main.address("%rows", main.times(start, plan.buffers[INPUT].width)),
            OUTPUT: main.address("%answers", main.times(start, plan.buffers[OUTPUT].width)),
        }

        def address(place: Place) -> Register:
            base = bases.get(place.buffer)
            if base is None:
                return main.address("%scratch", starts[place.buffer] * rows + place.start)
            return main.address(base, place.start)

        for step in plan.steps:
            write_step(code, step, address, main)

    padded = main.integer("add", "%n", rows - 1)
    main.each(0, padded, rows, answer_block)
    functions = [writer.text() for writer in (*code.functions.values(), main)]
    attributes = "attributes #0 = { nounwind }"
    text = "\n".join([*functions, *sorted(code.declared), attributes, ""])
    return Written(text=text, constants=code.constants.join(), scratch=scratch_bytes(width, rows))


def scratch_bytes(width: int, rows: int) -> int:
    """Return the bytes of scratch for blocks of `rows` rows, with `width` numbers of each between steps."""
    return 4 * width * rows + 64


def block_rows(width: int) -> int:
    """Return how many rows of so many numbers are computed together."""
    rows = BLOCK_NUMBERS // max(1, width) // ROWS_TOGETHER * ROWS_TOGETHER
    return min(MOST_ROWS, max(ROWS_TOGETHER, rows))
