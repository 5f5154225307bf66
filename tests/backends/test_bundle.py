"""The smbundle container: round trips, and files that are damaged or hostile."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensenet.backends.formats.smbundle import BLOCK, GUARD, MOST_BLOCKS, pack, unpack
from sensenet.errors import ArtifactError

FILES = {"saved_model.pb": b"graph", "assets/settings.json": b"{}", "variables/deep/data": bytes(2000)}

part = st.text(st.characters(codec="ascii", exclude_characters='/\\:\0"'), min_size=1, max_size=8).filter(
    lambda name: name.strip(".") != ""
)


def bundle_of(listing, content=b"", blocks=None):
    """A bundle with any header."""
    header = listing if isinstance(listing, bytes) else json.dumps(listing).encode()
    count = -(-len(header) // BLOCK) if blocks is None else blocks
    return GUARD + bytes([count]) + header.ljust(count * BLOCK) + content


def test_the_layout_is_the_published_one():
    bundle = pack(FILES)
    assert bundle.startswith(GUARD + b"\x01[")
    listing = json.loads(bundle[len(GUARD) + 1 : len(GUARD) + 1 + BLOCK])
    assert [entry[0] for entry in listing] == [".", "assets", "variables", "variables/deep"]
    assert listing[0] == [".", ["assets", "variables"], [["saved_model.pb", 5]]]
    assert listing[2] == ["variables", ["deep"], []]
    assert bundle.endswith(bytes(2000))


@given(st.dictionaries(st.tuples(st.sampled_from(["", "a/", "a/b/", "c/"]), part).map("".join), st.binary()))
def test_what_is_packed_is_unpacked(files):
    directories = {"a", "a/b", "c"}
    files = {name: content for name, content in files.items() if name not in directories}
    assert unpack(pack(files)) == files


def test_every_truncation_is_refused():
    bundle = pack(FILES)
    for length in range(len(bundle)):
        with pytest.raises(ArtifactError):
            unpack(bundle[:length])
    with pytest.raises(ArtifactError, match="longer"):
        unpack(bundle + b"x")


@pytest.mark.parametrize(
    "listing",
    [
        [["..", [], [["x", 0]]]],
        [["a/../..", [], [["x", 0]]]],
        [["/etc", [], [["passwd", 0]]]],
        [[".", [], [["../x", 0]]]],
        [[".", [], [["..", 0]]]],
        [[".", [], [["a/x", 0]]]],
        [[".", [], [["", 0]]]],
        [[".", [], [["c:x", 0]]]],
        [[".", [], [["a\\x", 0]]]],
        [[".", [], [["a\x00", 0]]]],
        [[".", [], [["x", -1]]]],
        [[".", [], [["x", True]]]],
        [[".", [], [["x", 1e3]]]],
        [[".", [], [["x", 10**30]]]],
        [[".", [], [["x", 0], ["x", 0]]]],
        [[".", [], [["x"]]]],
        [[1, [], [["x", 0]]]],
        [[".", [], [[1, 0]]]],
        {"a": 1},
        "text",
        7,
        None,
        b"no json",
        b"\xff\xfe",
        b"[" * 1000,
    ],
)
def test_hostile_headers_are_refused(listing):
    with pytest.raises(ArtifactError):
        unpack(bundle_of(listing))


def test_a_header_of_as_many_blocks_as_there_can_be():
    files = {f"{number:05}-{'x' * 200}": b"" for number in range(1000)}
    assert pack(files)[len(GUARD)] > 200
    assert unpack(pack(files)) == files
    assert unpack(bundle_of([], blocks=MOST_BLOCKS)) == {}
    with pytest.raises(ArtifactError, match="too many"):
        pack({f"{number:05}-{'x' * 200}": b"" for number in range(2000)})


@pytest.mark.parametrize("name", ["../x", "/x", "a/../x", "", "a:b", "a\\b"])
def test_paths_outside_the_directory_are_not_packed(name):
    with pytest.raises(ArtifactError, match="path"):
        pack({name: b""})
