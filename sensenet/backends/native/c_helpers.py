"""The fixed text of a source: what compilers it is for, and the functions that its steps call."""

from __future__ import annotations

PROLOGUE = """\
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(_M_FP_FAST) || \\
    (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "compile this file without -ffast-math: it compares with NaN, and rounds by adding and subtracting"
#endif

/* Each operation is rounded: compilers may not make one of two, as GCC does without -std=c99. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
"""

FUSED_IF_FAST = """\
/* a * b + c, rounded once if the processor has an instruction for that, else twice. */
#if defined(__FP_FAST_FMAF)
#define {upper}_FUSED(a, b, c) __builtin_fmaf(a, b, c)
#else
#define {upper}_FUSED(a, b, c) ((float)((a) * (b)) + (c))
#endif
"""

NEVER_FUSED = """\
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "compile this file for a processor that computes in float, with -msse2 -mfpmath=sse on 32-bit x86"
#endif

/* a * b + c, rounded twice. */
#define {upper}_FUSED(a, b, c) ((float)((a) * (b)) + (c))
"""

HELPERS = {
    "of_bits": """\
static float {prefix}_of_bits(uint32_t bits) {{
  float number;
  memcpy(&number, &bits, sizeof number);
  return number;
}}
""",
    "bits": """\
static uint32_t {prefix}_bits(float number) {{
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  return bits;
}}
""",
    "absolute": """\
static float {prefix}_absolute(float number) {{
  return {prefix}_of_bits({prefix}_bits(number) & 0x7fffffffu);
}}
""",
    "round": """\
/* Returns the nearest integer, the even one of two; from 2^22 on, halves are the only fractions. */
static float {prefix}_round(float number) {{
  const float size = {prefix}_absolute(number);
  const float up = size + 0x1p+23f;
  const float rounded = up - 0x1p+23f;
  if (!(size < 0x1p+23f)) return number;
  return {prefix}_of_bits({prefix}_bits(rounded) | ({prefix}_bits(number) & 0x80000000u));
}}
""",
    "floor": """\
static float {prefix}_floor(float number) {{
  const float rounded = {prefix}_round(number);
  return rounded > number ? rounded - 1.0f : rounded;
}}
""",
    "add_lanes": """\
/* Returns the sum of 16 numbers, in the order of code with vectors: half and half. */
static float {prefix}_add_lanes(float *lanes) {{
  for (size_t half = 8; half > 0; half /= 2) {{
    for (size_t j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  }}
  return lanes[0];
}}
""",
}
"""What the operations of formulas call, each after those that it calls itself."""

DENSE = """\
/* y = x @ kernel + bias; kernel has a line of `units` weights for each of the `size` inputs. */
static void {prefix}_dense(const float *restrict x, float *restrict y, const float *restrict kernel,
                           const float *restrict bias, size_t size, size_t units) {{
  memcpy(y, bias, units * sizeof *y);
  for (size_t k = 0; k < size; ++k) {{
    const float number = x[k];
    for (size_t j = 0; j < units; ++j) y[j] = {upper}_FUSED(number, kernel[k * units + j], y[j]);
  }}
}}
"""

SOFTMAX = """\
static void {prefix}_softmax(const float *x, float *y, size_t width) {{
  float most = x[0], total, lanes[16] = {{0.0f}};
  for (size_t j = 1; j < width; ++j) most = most < x[j] ? x[j] : most;
  for (size_t j = 0; j < width; ++j) {{
    y[j] = {prefix}_exp(x[j] - most);
    lanes[j % 16] += y[j];
  }}
  total = {prefix}_add_lanes(lanes);
  for (size_t j = 0; j < width; ++j) y[j] /= total;
}}
"""

LOG_SOFTMAX = """\
static void {prefix}_log_softmax(const float *x, float *y, size_t width) {{
  float most = x[0], total, lanes[16] = {{0.0f}};
  for (size_t j = 1; j < width; ++j) most = most < x[j] ? x[j] : most;
  for (size_t j = 0; j < width; ++j) {{
    y[j] = x[j] - most;
    lanes[j % 16] += {prefix}_exp(y[j]);
  }}
  total = {prefix}_log({prefix}_add_lanes(lanes));
  for (size_t j = 0; j < width; ++j) y[j] -= total;
}}
"""

EMBEDDING = """\
/* y = the sum of a line of the table for each code; a code that is unknown has none. */
static void {prefix}_embedding(const float *restrict x, float *restrict y, const int32_t *starts,
                               const float *limits, const float *restrict table, size_t columns,
                               size_t units) {{
  for (size_t j = 0; j < units; ++j) y[j] = 0.0f;
  for (size_t i = 0; i < columns; ++i) {{
    if (x[i] >= 0.0f && x[i] < limits[i] && (float)(int32_t)x[i] == x[i]) {{
      const float *line = table + (size_t)(starts[i] + (int32_t)x[i]) * units;
      for (size_t j = 0; j < units; ++j) y[j] += line[j];
    }}
  }}
}}
"""

FOREST = """\
/* A row goes to `left` if its feature is at most the threshold, else, also if it is NaN, to the node after
   that. A leaf has the feature -1, and its line of values as `left`. */
typedef struct {{
  float threshold;
  int32_t feature;
  int32_t left;
}} {prefix}_node;

static void {prefix}_forest(const float *restrict x, float *restrict y, const {prefix}_node *nodes,
                            const float *values, const int32_t *roots, size_t trees, size_t outputs) {{
  for (size_t j = 0; j < outputs; ++j) y[j] = -0.0f;
  for (size_t i = 0; i < trees; ++i) {{
    const {prefix}_node *node = nodes + roots[i];
    while (node->feature >= 0) {{
      node = nodes + node->left + (x[node->feature] <= node->threshold ? 0 : 1);
    }}
    for (size_t j = 0; j < outputs; ++j) y[j] += values[(size_t)node->left * outputs + j];
  }}
  for (size_t j = 0; j < outputs; ++j) y[j] /= (float)trees;
}}
"""

PREDICT = """\
/* Answers a row: x has {columns} numbers, y gets {outputs}, and s is for those between steps. */
static void {prefix}_row(const float *x, float *y, float *s) {{
{statements}
  (void)x;
  (void)y;
  (void)s;
}}

int {prefix}_predict(const float *rows, size_t n, float *out);

int {prefix}_predict(const float *rows, size_t n, float *out) {{
  float scratch[{scratch}];
  if (n && (!rows || !out)) return 1;
  for (size_t i = 0; i < n; ++i) {prefix}_row(rows + i * {columns}, out + i * {outputs}, scratch);
  return 0;
}}
"""
