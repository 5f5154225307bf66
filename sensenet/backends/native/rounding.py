"""Replaces LLVM's functions that round, for processors without such an instruction.

There LLVM would call `roundevenf` and `floorf`, of the C library's mathematics. Instead, numbers below 2²³
have 2²³ added and subtracted, which rounds them; all others have no fractions.
"""

from __future__ import annotations

import re

SHIFT, ONE = "float 0x4160000000000000", "float 1.0"
"""2²³ and 1 as LLVM writes them."""

NEAREST = """\
define internal {type} @{name}({type} %x) alwaysinline #0 {{
  %bits = bitcast {type} %x to {integers}
  %sign = and {integers} %bits, {sign}
  %positive = xor {integers} %bits, %sign
  %size = bitcast {integers} %positive to {type}
  %up = fadd {type} %size, {shift}
  %down = fsub {type} %up, {shift}
  %rounded = bitcast {type} %down to {integers}
  %joined = or {integers} %rounded, %sign
  %signed = bitcast {integers} %joined to {type}
  %small = fcmp olt {type} %size, {shift}
  %nearest = select {truths} %small, {type} %signed, {type} %x
"""

RESULTS = {
    "roundeven": """\
  ret {type} %nearest
}}
""",
    "floor": """\
  %above = fcmp ogt {type} %nearest, %x
  %less = fsub {type} %nearest, {one}
  %floor = select {truths} %above, {type} %less, {type} %nearest
  ret {type} %floor
}}
""",
}

DECLARED = re.compile(r"^declare \S.* @llvm\.(roundeven|floor)\.(v(\d+))?f32\(.*\)$", re.MULTILINE)

CALLED = re.compile(r"@llvm\.((?:roundeven|floor)\.v?\d*f32)\(")


def replace_rounding(text: str) -> str:
    """Return a module in which functions of its own round, to the same bits."""
    return CALLED.sub(r"@\1(", DECLARED.sub(_define, text))


def _define(declared: re.Match[str]) -> str:
    function, vector, lanes = declared.groups()

    def many(element: str) -> str:
        return f"<{lanes} x {element}>" if vector else element

    def constant(value: str) -> str:
        return f"splat ({value})" if vector else value.partition(" ")[2]

    return (NEAREST + RESULTS[function]).format(
        name=f"{function}.{vector or ''}f32",
        type=many("float"),
        integers=many("i32"),
        truths=many("i1"),
        sign=constant("i32 -2147483648"),
        shift=constant(SHIFT),
        one=constant(ONE),
    )
