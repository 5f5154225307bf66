"""The generator, beside its definition in plain Python and in JavaScript."""

from __future__ import annotations

import json
import shutil
import subprocess

import numpy as np
import pytest

from sensenet.explanation.random_numbers import random_numbers, shuffled

JAVASCRIPT = """
function numbers(seed, n) {  // number n, from 0 on
  const a = (seed + Math.imul(n + 1, 0x6D2B79F5)) | 0;
  let t = Math.imul(a ^ (a >>> 15), a | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return (t ^ (t >>> 14)) >>> 0;
}
function shuffled(size, count, seed) {
  return Array.from({length: count}, (_, order) => {
    const places = Array.from({length: size}, (_, place) => place);
    for (let place = size - 1; place > 0; place--) {
      const r = numbers(seed, order * (size - 1) + size - 1 - place);
      const other = Math.floor(r * (place + 1) / 2 ** 32);
      [places[place], places[other]] = [places[other], places[place]];
    }
    return places;
  });
}
console.log(JSON.stringify([shuffled(13, 50, 4000000000), shuffled(2, 9, 0), shuffled(1, 2, 1)]));
"""


def plain(seed, n):
    mask = (1 << 32) - 1
    a = (seed + (n + 1) * 0x6D2B79F5) & mask
    t = (a ^ a >> 15) * (a | 1) & mask
    t ^= t + (t ^ t >> 7) * (t | 61) & mask
    return t ^ t >> 14


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**32 - 1])
def test_numbers_are_those_of_the_definition(seed):
    assert random_numbers(seed, 0, 100).tolist() == [plain(seed, n) for n in range(100)]
    assert random_numbers(seed, 40, 3).tolist() == [plain(seed, n) for n in range(40, 43)]


def test_every_order_is_as_likely():
    orders = shuffled(3, 6000, 0)
    found, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(found) == 6
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_orders_continue():
    np.testing.assert_array_equal(shuffled(7, 10, 3)[4:], shuffled(7, 6, 3, first=4))


def test_javascript_draws_the_same():
    if shutil.which("node") is None:
        pytest.skip("node is not installed: nothing is run in Node")
    result = subprocess.run(["node", "-e", JAVASCRIPT], capture_output=True, text=True, check=True)
    wanted = [shuffled(13, 50, 4000000000), shuffled(2, 9, 0), shuffled(1, 2, 1)]
    assert json.loads(result.stdout) == [each.tolist() for each in wanted]
