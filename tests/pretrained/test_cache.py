"""Files come into the cache once; what names, addresses and folders are refused."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from support.downloads import NAME, left_in

from sensenet.errors import DownloadError
from sensenet.pretrained.cache import SMALLEST_NETWORK, cache_resource_path


def test_file_is_downloaded_when_first_needed_only(server, cache, fetch):
    path = fetch()
    assert path == str(cache / NAME)
    assert Path(path).read_bytes() == server.content
    assert left_in(cache) == [NAME]
    assert fetch() == path
    assert [request[":path"] for request in server.requests] == [f"/networks/{NAME}"]


def test_filled_cache_needs_no_server_and_no_permission_to_write(cache, fetch, monkeypatch):
    cache.mkdir()
    (cache / NAME).write_bytes(bytes(SMALLEST_NETWORK))
    monkeypatch.setenv("BIGML_SENSENET_URL", "http://127.0.0.1:1/")
    cache.chmod(0o500)
    try:
        assert fetch() == str(cache / NAME)
    finally:
        cache.chmod(0o700)


def test_cache_is_in_the_home_directory_unless_told(cache, fetch, monkeypatch, tmp_path):
    monkeypatch.delenv("BIGML_SENSENET_CACHE_PATH")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    assert fetch() == str(tmp_path / "home" / ".bigml_sensenet" / NAME)


def test_base_address_needs_no_slash_at_its_end(server, fetch, monkeypatch):
    monkeypatch.setenv("BIGML_SENSENET_URL", server.url.rstrip("/"))
    fetch()
    assert server.requests[0][":path"] == f"/networks/{NAME}"


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", ".hidden", "a b", "a\n", "C:x", "a?b", None])
def test_names_that_are_no_plain_file_names_are_refused(cache, name):
    with pytest.raises(DownloadError, match="name of a file"):
        cache_resource_path(name)


@pytest.mark.parametrize("url", ["nonsense", "file:///etc/", "ftp://host/", "http://", "http://host:port/"])
def test_base_address_that_cannot_be_used_is_refused(cache, fetch, monkeypatch, url):
    monkeypatch.setenv("BIGML_SENSENET_URL", url)
    with pytest.raises(DownloadError, match="BIGML_SENSENET_URL"):
        fetch()


def test_cache_that_cannot_be_made_is_an_error_that_names_it(cache, fetch):
    cache.write_text("a file where the directory should be")
    with pytest.raises(DownloadError, match="BIGML_SENSENET_CACHE_PATH") as caught:
        fetch()
    assert str(cache / NAME) in str(caught.value)


@pytest.mark.parametrize("code", ["ENOLCK", "ENOTSUP", "ENOSYS"])
def test_a_file_system_without_locks(server, cache, fetch, monkeypatch, code):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(getattr(errno, code), "no locks")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert Path(fetch()).read_bytes() == server.content
    assert left_in(cache) == [NAME]
