"""Directories as bundles, and bundles as directories."""

from __future__ import annotations

import pytest

from sensenet.backends.formats.smbundle import pack
from sensenet.errors import ArtifactError
from sensenet.models.bundle import read_bundle, write_bundle


@pytest.fixture
def directory(tmp_path):
    root = tmp_path / "model"
    (root / "assets").mkdir(parents=True)
    (root / "graph.pb").write_bytes(b"graph")
    (root / "assets" / "settings.json").write_bytes(b"{}")
    return root


def test_a_directory_becomes_a_bundle_and_back(directory, tmp_path):
    bundle = write_bundle(directory)
    assert bundle == str(tmp_path / "model.smbundle")
    directory.rename(tmp_path / "first")
    assert read_bundle(bundle) == str(directory)
    assert sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*")) == [
        "assets",
        "assets/settings.json",
        "graph.pb",
    ]
    assert (directory / "graph.pb").read_bytes() == b"graph"


def test_nothing_is_replaced(directory):
    bundle = write_bundle(directory)
    with pytest.raises(ArtifactError, match="exists"):
        write_bundle(directory)
    with pytest.raises(ArtifactError):
        read_bundle(bundle)
    assert (directory / "graph.pb").read_bytes() == b"graph"


def test_what_is_no_directory_or_bundle_is_refused(directory, tmp_path):
    with pytest.raises(ArtifactError, match="not a directory"):
        write_bundle(tmp_path / "none")
    (directory / "link").symlink_to("/etc/passwd")
    with pytest.raises(ArtifactError, match="neither"):
        write_bundle(directory)
    foreign = tmp_path / "foreign.smbundle"
    foreign.write_bytes(b"something")
    with pytest.raises(ArtifactError, match="guard"):
        read_bundle(foreign)
    with pytest.raises(ArtifactError, match="ends in"):
        read_bundle(directory / "graph.pb")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_bundle(tmp_path / "none.smbundle")


def test_a_hostile_bundle_writes_nothing(tmp_path):
    content = pack({"evil": b"x"}).replace(b'[["evil", 1]]', b'[["../x", 1]]')
    path = tmp_path / "hostile.smbundle"
    path.write_bytes(content)
    with pytest.raises(ArtifactError):
        read_bundle(path)
    assert [each.name for each in tmp_path.iterdir()] == ["hostile.smbundle"]
