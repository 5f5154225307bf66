"""Numbers as people read them."""

from __future__ import annotations

import pytest

from sensenet.plain_numbers import (
    format_alike,
    format_count,
    format_file_size,
    format_interval,
    format_measure,
    format_number,
    format_tick,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0.0000"),
        (-0.5, "-0.5000"),
        (0.00012, "0.0001"),
        (1e-5, "1.000e-05"),
        (12.3456, "12.35"),
        (1234.5, "1,234"),
        (1e7, "1.000e+07"),
    ],
)
def test_measures(value, text):
    assert format_measure(value) == text


def test_an_interval():
    assert format_interval((-0.125, 0.5)) == "95 % interval -0.1250 to 0.5000"


@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ([0.47269, -0.0166], ["+0.4727", "-0.0166"]),
        ([36.4725, -0.001], ["+36.47", "+0.00"]),
        ([123456.7, 2], ["+123,457", "+2"]),
        ([0.0], ["0"]),
        ([float("nan"), 1.0], ["+nan", "+1.000"]),
    ],
)
def test_numbers_of_a_column_have_as_many_decimals(numbers, texts):
    assert format_alike(numbers, sign=True) == texts


def test_numbers_have_four_digits_or_all_before_the_point():
    found = [format_number(number) for number in (0.123456, 12345.6, 1e20, -1e15, float("nan"))]
    assert found == ["0.1235", "12,346", "1.000e+20", "-1.000e+15", "nan"]


def test_numbers_at_axes_are_short():
    found = [format_tick(number) for number in (0, -0.25, 1500, 123456, 0.00001)]
    assert found == ["0", "−0.25", "1500", "1.2e+05", "1e-05"]


def test_counts_have_their_noun():
    assert [format_count(number, "node") for number in (0, 1, 1234)] == ["0 nodes", "1 node", "1,234 nodes"]


def test_sizes_have_a_unit():
    sizes = (999, 1000, 3_420_000, 5_000_000_000_000)
    assert list(map(format_file_size, sizes)) == ["999 bytes", "1 kB", "3.42 MB", "5000 GB"]
