"""Programs that link native code: rows in on stdin, answers out on stdout, for this processor and others."""

from __future__ import annotations

import contextlib
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest

from sensenet.backends.native import emitting
from sensenet.compiler.verify.inputs import generated_inputs
from sensenet.compiler.verify.verification import compare
from sensenet.ir.evaluate import evaluate
from sensenet.llvm.compilation import load_llvm
from support.c_code import WARNINGS

MAIN = """\
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#ifdef GUARDED
#include <sys/mman.h>
#endif
{includes}
/* Memory that ends where a page does, after which nothing may be read; or what a sanitizer watches. */
static void *allocate(size_t size) {{
#ifdef GUARDED
  const size_t page = 65536, whole = (size + page - 1) / page * page;
  char *memory = (char *)mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == (char *)MAP_FAILED || mprotect(memory + whole, page, PROT_NONE) != 0) exit(9);
  return memory + whole - size;
#else
  void *memory = malloc(size ? size : 1);
  if (memory == NULL) exit(9);
  return memory;
#endif
}}
int main(int count, char **arguments) {{
  size_t n = (size_t)(count > 1 ? atol(arguments[1]) : 0);
{calls}
  return 0;
}}
"""

CALL = """\
  {{
    float *rows = (float *)allocate(n * {upper}_INPUTS * sizeof(float));
    float *out = (float *)allocate(n * {upper}_OUTPUTS * sizeof(float));
    if (fread(rows, sizeof(float), n * {upper}_INPUTS, stdin) != n * {upper}_INPUTS) return 2;
    if ({prefix}_predict(rows, n, out) != 0) return 3;
    if ({prefix}_predict(NULL, 0, NULL) != 0) return 4;
    if ({prefix}_predict(NULL, 1, out) != 1 || {prefix}_predict(rows, 1, NULL) != 1) return 5;
    if (fwrite(out, sizeof(float), n * {upper}_OUTPUTS, stdout) != n * {upper}_OUTPUTS) return 6;
#ifndef GUARDED
    free(rows);
    free(out);
#endif
  }}
"""

SUFFIXES = {"gcc": ".c", "g++": ".cc"}


def link_program(folder, artifacts, *, compiler="gcc", standard="c99", flags=()):
    """The program of the artifacts of models by their prefix, compiled without a warning.

    The compiler is one of `SUFFIXES`, or another machine's; skips if it is not there.
    """
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    sources, includes, calls = [], [], []
    for prefix, artifact in artifacts.items():
        for name, content in artifact.files.items():
            path = folder / name.replace("model", prefix)
            path.write_bytes(content)
            if path.suffix != ".h":
                sources.append(str(path))
        includes.append(f'#include "{prefix}.h"')
        calls.append(CALL.format(prefix=prefix, upper=prefix.upper()))
    main = folder / f"main{SUFFIXES.get(compiler, '.c')}"
    main.write_text(MAIN.format(includes="\n".join(includes), calls="".join(calls)), "ascii")
    program = folder / "program"
    strict = [f"-std={standard}", *WARNINGS, *flags]
    if compiler == "g++":  # the code is C, and only its header is for C++ too
        sources = [compile_alone(folder, source, flags) for source in sources]
    run_tool([compiler, *strict, str(main), *sources, "-o", str(program)])
    return program


def compile_alone(folder, source, flags):
    """The object file of a source in C99; an object file as it is."""
    if source.endswith(".o"):
        return source
    made = f"{source}.o"
    run_tool(["gcc", "-std=c99", *WARNINGS, *flags, "-c", source, "-o", made])
    return made


def run_tool(command):
    """What a compiler or a tool prints; it accepts what it is given."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[:4000]
    return result.stdout


def run_program(program, tables, outputs, runner=()):
    """The answers of each model for its rows, f32[rows, columns]; `outputs` are the widths of answers."""
    content = b"".join(np.ascontiguousarray(rows, np.float32).tobytes() for rows in tables)
    command = [*runner, str(program), str(len(tables[0]))]
    result = subprocess.run(command, input=content, capture_output=True, check=False)
    assert (result.returncode, result.stderr.decode()[:2000]) == (0, "")
    found = np.frombuffer(result.stdout, np.float32)
    bounds = np.cumsum([len(rows) * width for rows, width in zip(tables, outputs, strict=True)])
    parts = np.split(found, bounds[:-1])
    shapes = [(len(rows), width) for rows, width in zip(tables, outputs, strict=True)]
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


@contextlib.contextmanager
def without_llvmlite():
    """While it is entered, llvmlite is not installed; LLVM is loaded anew in it, and after it."""
    names = {"llvmlite", *(name for name in sys.modules if name.startswith("llvmlite."))}
    loaders = (load_llvm, emitting._llvm)
    for each in loaders:
        each.cache_clear()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in names:
                patch.setitem(sys.modules, name, None)
            yield
    finally:
        for each in loaders:
            each.cache_clear()


def require_program_agrees(folder, graphs, artifacts, runner=(), **options):
    """One program of all artifacts answers as the interpreter does with their graphs, both by prefix.

    `options` are those of `link_program`.
    """
    made = [rows_with_answers(graphs[prefix]) for prefix in artifacts]
    count = min(len(rows) for rows, _ in made)
    program = link_program(folder, artifacts, **options)
    widths = [expected.shape[1] for _, expected in made]
    found = run_program(program, [rows[:count] for rows, _ in made], widths, runner)
    for answers, (_, expected) in zip(found, made, strict=True):
        require_agreement(answers, expected[:count])


def rows_with_answers(graph):
    """Rows of every kind that a graph accepts, and the interpreter's answers, side by side."""
    feeds = list(generated_inputs(graph))
    rows = np.concatenate([array for feed in feeds for array in feed.values()])
    (node,) = graph.inputs
    return rows, answers_of(graph, {node.name: rows})


def answers_of(graph, feed):
    """The interpreter's answers of all outputs for each row, side by side, f32[rows, numbers]."""
    return join_answers(graph, evaluate(graph, feed))


def join_answers(graph, answers):
    """The answers for each row side by side, f32[rows, numbers], from arrays by output."""
    parts = []
    for name, value in graph.outputs.items():
        by_row = np.moveaxis(answers[name], value.type.shape.index(None), 0)
        parts.append(by_row.reshape(len(by_row), math.prod(by_row.shape[1:])))
    return np.concatenate(parts, axis=1)


def require_agreement(found, expected):
    """Answers differ only by rounding."""
    difference, excess = compare("answers", found, expected, {})
    assert excess <= 0, f"answers differ by {difference}"
