"""Compiles C and C++, and runs the encoders of rows that headers have."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from sensenet.backends.c_code.literals import quote
from sensenet.backends.c_code.rows import Rows, find_members
from sensenet.runtime.cells import is_missing
from sensenet.runtime.field_cells import field_encoder
from sensenet.signature import CategoricalColumn, Items, Terms

WARNINGS = ("-Wall", "-Wextra", "-Werror", "-pedantic")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

STANDARDS = {"c99": "gcc", "c11": "gcc", "c++11": "g++", "c++17": "g++"}
"""The standards that headers are compiled by, and the compiler of each."""

SUFFIXES = {"gcc": ".c", "g++": ".cc"}

PROLOGUE = """\
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static void print(const float *numbers, size_t count) {
  size_t i;
  for (i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, &numbers[i], sizeof bits);
    printf("%08x ", (unsigned)bits);
  }
  printf("\\n");
}
"""


def compile_code(folder, code, standard, *flags):
    """The program of a source, which a compiler accepts without a warning; skips if there is no compiler."""
    compiler = STANDARDS[standard]
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    source, program = folder / f"main{SUFFIXES[compiler]}", folder / "program"
    source.write_text(code, "ascii")
    command = [compiler, f"-std={standard}", *WARNINGS, *flags, str(source), "-o", str(program)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[:4000]
    return program


def run_program(program):
    """The lines that a program prints; it may not write to stderr, as sanitizers do."""
    result = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


ENCODE = """\
static void run_{prefix}(void) {{
  static const {prefix}_row rows[] = {{
{rows}
  }};
  float inputs[{columns}];
  size_t i;
  for (i = 0; i < sizeof rows / sizeof *rows; ++i) {{
    {prefix}_encode(&rows[i], inputs);
    print(inputs, {columns});
  }}
}}
"""


def encode_in_c(folder, models, standard="c99"):
    """f32[rows, columns] for each signature and its rows, which are initializers of the struct."""
    code, header = [PROLOGUE, '#include "rows.h"'], []
    for number, (signature, rows) in enumerate(models):
        prefix, lines = f"m{number}", ",\n".join(f"{{{', '.join(row)}}}" for row in rows)
        header += Rows(signature, prefix, quote).write()
        code.append(ENCODE.format(prefix=prefix, rows=lines, columns=len(signature.columns)))
    calls = " ".join(f"run_m{number}();" for number in range(len(models)))
    code.append(f"int main(void) {{ {calls} return 0; }}\n")
    (folder / "rows.h").write_text("\n".join(header), "ascii")
    lines = iter(run_program(compile_code(folder, "\n".join(code), standard, *SANITIZERS)))
    return [
        np.array([[int(bits, 16) for bits in next(lines).split()] for _ in rows], np.uint32).view(np.float32)
        for _, rows in models
    ]


def write_number(number):
    """The literal of a float, exactly; a missing one is NAN."""
    if is_missing(number):
        return "NAN"
    exact = float(np.float32(number))
    return repr(exact).replace("inf", "INFINITY") if np.isinf(exact) else f"{exact!r}f"


def write_row(signature, row):
    """The initializers of a row of cells, which is as long as the model reads."""
    written = []
    for member in find_members(signature):
        cells = row[member.cell : member.cell + member.width]
        if isinstance(member.columns[0], CategoricalColumn):
            written.append("NULL" if cells[0] is None else quote(str(cells[0])))
        else:
            numbers = [write_number(cell) for cell in cells]
            written.append(numbers[0] if len(numbers) == 1 else f"{{{', '.join(numbers)}}}")
    return written


def write_named_row(signature, row):
    """The initializers of a row by field name or id."""
    written = []
    for member in find_members(signature):
        value = row.get(member.field.name, row.get(member.field.id))
        if isinstance(member.columns[0], CategoricalColumn):
            written.append("NULL" if value is None else quote(str(value)))
        elif isinstance(member.field.encoding, Terms | Items):
            counts = field_encoder(member.field, frozenset(signature.missing_tokens))([value])
            numbers = [write_number(count[0]) for count in counts]
            written.append(numbers[0] if len(numbers) == 1 else f"{{{', '.join(numbers)}}}")
        else:
            written.append(write_number(value))
    return written
