"""CSV through pyarrow: the rows, lines and errors of Python's parser, however odd the file is."""

from __future__ import annotations

import csv
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.profiles import examples

from sensenet.batches import csv_blocks
from sensenet.batches.csv_blocks import csv_parts
from sensenet.batches.csv_text import rows_text
from sensenet.errors import SensenetError
from sensenet.runtime.row_files import RowFile

PIECES = [
    *("a", "b", "1", "2.5", "nan", " ", "ü", "\ufeff", "'", "long " * 9),
    *('"', '""', '"x"', '"x""y"', '"a,b"', '"a\nb"', '"a\r\nb"', '"'),
    *(",", ",", ",", ";", "\n", "\n", "\n", "\r\n", "\r", "\n\n", "\0"),
]
"""What a file is drawn of; most drawn ones are not well-formed."""

WELL_FORMED = st.builds(
    lambda rows, end, mark, last: mark + end.join(",".join(cells) for cells in rows) + (end if last else ""),
    st.lists(
        st.lists(
            st.sampled_from(["", "1", "x y", "ü", '"q""q"', '"a,b"', '"two\nlines"', '""', 'in"side']),
            min_size=2,
            max_size=2,
        ),
        max_size=8,
    ).map(lambda rows: [["name", "other"], *rows]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "\ufeff"]),
    st.booleans(),
)


def outcome(rows):
    """The rows that can be read, and the error after them."""
    found = []
    try:
        found.extend(rows)
    except SensenetError as error:
        return found, (type(error), str(error))
    return found, None


def through_arrow(file):
    for part in csv_parts(file):
        for number, row in enumerate(part.batch.to_pylist()):
            yield part.where(number), row


def compare(content, delimiter, block, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "rows.csv"
    path.write_bytes(content)
    file = RowFile(str(path), delimiter=delimiter)
    wanted, error = outcome((f"{path}, line {line}", row) for line, row in file.rows())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_blocks, "BLOCK", block)
        found, found_error = outcome(through_arrow(file))
    assert found_error == error
    assert found == wanted[: len(found)]
    if error is None:
        assert found == wanted


@given(
    text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join), block=st.sampled_from([3, 16, 1 << 20])
)
@example(text='a\n"x"y\n', block=1 << 20)
@example(text='a,b\n1,"2\n', block=4)
@example(text="a\r\n1\r\n\ufeff2\r\n", block=4)
@example(text="a\n\n1\n\r\n2\n", block=3)
@examples(200)
def test_any_text(text, block, tmp_path_factory):
    compare(text.encode(), ",", block, tmp_path_factory)


@given(
    text=WELL_FORMED,
    block=st.sampled_from([5, 17, 1 << 20]),
    delimiter=st.sampled_from([",", ";", "\t", "ü"]),
)
@examples(150)
def test_well_formed_files(text, block, delimiter, tmp_path_factory):
    compare(text.replace(",", delimiter).encode(), delimiter, block, tmp_path_factory)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings(encoding, end, tmp_path_factory):
    content = end.join(["größe,b", "1,ü", "", '"x",'])
    compare(content.encode(encoding), ",", 1 << 20, tmp_path_factory)


def test_blocks_are_parsed_by_pyarrow(tmp_path, monkeypatch):
    """Else the tests above would compare Python's parser with itself."""
    path = tmp_path / "rows.csv"
    path.write_text('a,b\n1,"2\n3"\n' * 100)
    monkeypatch.setattr(csv_blocks._Below, "_parse_slowly", None)
    monkeypatch.setattr(csv_blocks, "BLOCK", 100)
    assert sum(part.batch.num_rows for part in csv_parts(RowFile(str(path)))) == 199


@given(
    numbers=st.lists(st.none() | st.floats() | st.floats(1e-6, 1e9), min_size=1, max_size=9),
    small=st.lists(st.floats(width=32), min_size=9, max_size=9),
    texts=st.lists(st.none() | st.text(st.sampled_from('ab,;"\n ü'), max_size=4), min_size=9, max_size=9),
    delimiter=st.sampled_from([",", ";"]),
)
@examples(60)
def test_rows_have_the_text_of_pythons_module(numbers, small, texts, delimiter):
    columns = [numbers, small[: len(numbers)], texts[: len(numbers)]]
    arrays = [
        pa.array(columns[0], pa.float64()),
        pa.array(np.float32(columns[1])),
        pa.array(texts, pa.string()),
    ]
    arrays[2] = arrays[2].slice(0, len(numbers))
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(zip(*columns, strict=True))
    assert rows_text(arrays, delimiter).decode() == stream.getvalue()


def test_the_only_column_has_no_empty_line():
    assert rows_text([pa.array(["a", None, ""])], ",") == b'a\n""\n""\n'
