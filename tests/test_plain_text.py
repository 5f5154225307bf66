"""Texts in columns of a font of fixed width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.plain_text import align, columns, cut


@pytest.mark.parametrize(
    ("text", "wanted"), [("abc…", 4), ("ß", 1), ("Ж", 1), ("画像", 4), ("e\u0301", 1), ("🙂", 2), ("", 0)]
)
def test_columns_of_texts(text, wanted):
    assert columns(text) == wanted


@given(st.text(), st.integers(2, 20))
def test_cut_texts_fit(text, longest):
    result = cut(text, longest)
    assert columns(result) <= longest
    assert len(result) <= longest
    assert result == text or (result.endswith("…") and text.startswith(result[:-1]))


def test_names_in_other_alphabets_are_cut_at_the_same_column():
    assert cut("画像認識", 5) == "画像…"
    assert cut("Жираф и слон", 8) == "Жираф и…"
    assert cut("Жираф", 5) == "Жираф"
    assert len(cut("a" + 1000 * "\u0301", 30)) == 30


def test_columns_of_cells_are_aligned():
    assert align([["a", "画像", "x"], ["bcd", "1", "y"]], left=(0, 2)) == ["a    画像  x", "bcd     1  y"]
    assert align([]) == []
