"""TensorFlow.js, the runtime of image pages: as npm downloads it, or at an address. Its content is known.

Measured for the choice, with onnxruntime-web and LiteRT.js: docs/web.md.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from sensenet.errors import ArtifactError, DownloadError
from sensenet.files.directories import temporary_directory
from sensenet.records import frozen

VERSION = "4.22.0"

SECONDS = 300
"""How long npm may take for a package."""


@frozen(kw_only=True)
class Package:
    """A package of npm: its hash, as its lock files have it, and the files of it that a page needs."""

    name: str
    sha512: str
    files: tuple[str, ...]


@frozen(kw_only=True)
class Reference:
    """A file at an address; browsers refuse one with another hash."""

    address: str
    sha384: str


@frozen(kw_only=True)
class Runtime:
    """What runs a network: scripts by name, in the order in which a page loads them, and WebAssembly."""

    scripts: Mapping[str, bytes | Reference]
    module: tuple[str, bytes | Reference]


PACKAGES = (
    Package(
        name="@tensorflow/tfjs-core",
        sha512="LEkOyzbknKFoWUwfkr59vSB68DMJ4cjwwHgicXN0DUi3a0Vh1Er3JQqCI1Hl86GGZQvY8ezVrtDIvqR1ZFW55A==",
        files=("tf-core.es2017.min.js",),
    ),
    Package(
        name="@tensorflow/tfjs-converter",
        sha512="PT43MGlnzIo+YfbsjM79Lxk9lOq6uUwZuCc8rrp0hfpLjF6Jv8jS84u2jFb+WpUeuF4K33ZDNx8CjiYrGQ2trQ==",
        files=("tf-converter.es2017.min.js",),
    ),
    Package(
        name="@tensorflow/tfjs-backend-wasm",
        sha512="/IYhReRIp4jg/wYW0OwbbJZG8ON87mbz0PgkiP3CdcACRSvUN0h8rvC0O3YcDtkTQtFWF/tcXq/KlVDyV49wmA==",
        files=("tf-backend-wasm.es2017.min.js", "tfjs-backend-wasm-simd.wasm"),
    ),
)

SHA384 = {
    "tf-core.es2017.min.js": "pwFlZMvh0feP+i0lcqJy+EGMsa8y8MInwWkUgARHZEHUGyTNqxnqfi38fzMU994Z",
    "tf-converter.es2017.min.js": "jYgcd4ez9iEjyoeMMxPS7PCpt0FCX9Mc3ovkX5gEI0BnKmxJOiBBi9wWaPyzE40X",
    "tf-backend-wasm.es2017.min.js": "SqoVPLooc7QMMmp0JuPMz9M6JqkYFd7wX08paKmclTcGS/36X7RY+hbkK7Big30W",
    "tfjs-backend-wasm-simd.wasm": "K3GxiUF8sNsf8m8ZYuEKWXFARCxCn0erZqbTdbYOpxeDRf0k+CWFF5gZ3xbW4cez",
}
"""The hashes of the files, for pages that have not downloaded what they refer to."""


@functools.cache
def fetch_runtime() -> Runtime:
    """Return the runtime as npm downloads it, once.

    Raises ArtifactError without npm, DownloadError if it cannot download, or what it brings is not the known.
    """
    program = shutil.which("npm")
    if program is None:
        raise ArtifactError(
            "a page with images has TensorFlow.js in it, which npm downloads: install Node.js with npm, or "
            "give runtime_url"
        )
    files: dict[str, bytes] = {}
    for package in PACKAGES:
        files |= _fetch(program, package)
    return _make_runtime(files)


def refer_to_runtime(url: str) -> Runtime:
    """Return the runtime in a directory of the web, whose address may have `{package}` and `{version}`."""
    directory = url if url.endswith("/") else f"{url}/"
    return _make_runtime(
        {
            name: Reference(
                address=directory.format(package=package.name, version=VERSION) + name, sha384=SHA384[name]
            )
            for package in PACKAGES
            for name in package.files
        }
    )


def _make_runtime(files: Mapping[str, bytes | Reference]) -> Runtime:
    (module,) = (file for file in files.items() if file[0].endswith(".wasm"))
    return Runtime(
        scripts={name: file for name, file in files.items() if name.endswith(".js")}, module=module
    )


def _fetch(program: str, package: Package) -> dict[str, bytes]:
    """Return the files of a package by name."""
    wanted = f"{package.name}@{VERSION}"
    with temporary_directory() as directory:
        command = [program, "pack", wanted, "--prefer-offline", "--ignore-scripts", "--loglevel=error"]
        try:
            result = subprocess.run(
                command, cwd=directory, capture_output=True, text=True, check=False, timeout=SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DownloadError(f"npm cannot download {wanted}: {error}") from error
        archives = list(directory.glob("*.tgz"))
        if result.returncode != 0 or len(archives) != 1:
            reason = " ".join(result.stderr.split())[-200:]
            raise DownloadError(f"npm cannot download {wanted}: {reason}")
        return _unpack(archives[0], package)


def _unpack(archive: Path, package: Package) -> dict[str, bytes]:
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.sha512:
        raise DownloadError(f"npm brought another {package.name} {VERSION} than the known: its hash differs")
    with tarfile.open(archive) as members:
        return {name: _read(members, f"package/dist/{name}") for name in package.files}


def _read(members: tarfile.TarFile, name: str) -> bytes:
    stream = members.extractfile(name)
    assert stream is not None, name  # the hash is that of an archive that has it
    return stream.read()
