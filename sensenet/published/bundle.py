"""Bundles as files: a directory, usually a SavedModel's, in one file (SPEC §10), and back.

The names are those of the published package. To open a bundle as a model, neither function is needed:
`sensenet.create_model` reads the file itself.
"""

from __future__ import annotations

import os
from pathlib import Path

from sensenet.backends.formats.smbundle import pack, unpack
from sensenet.errors import ArtifactError
from sensenet.files.reading import read_file
from sensenet.files.writing import write_all

BUNDLE_EXTENSION = ".smbundle"


def write_bundle(directory: str | os.PathLike[str]) -> str:
    """Write the files of a directory as a bundle next to it, and return the bundle's path.

    The bundle has the directory's name and the suffix `.smbundle`. Raises ArtifactError if the path is not a
    directory, contains anything but files and directories, or the bundle already exists.
    """
    root = Path(os.path.abspath(directory))
    if not root.is_dir():
        raise ArtifactError(f"{root} is not a directory")
    files: dict[str, bytes] = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(f"{path} is neither a file nor a directory: a bundle cannot hold it")
        if path.is_file():
            files[path.relative_to(root).as_posix()] = read_file(path)
    bundle = root.with_name(root.name + BUNDLE_EXTENSION)
    write_all({bundle: pack(files)}, force=False)
    return str(bundle)


def read_bundle(path: str | os.PathLike[str]) -> str:
    """Write the files of a bundle as a directory next to it, and return the directory's path.

    The directory has the bundle's name without its suffix. Raises ArtifactError for a file that is damaged,
    not a bundle, or has another suffix, and if the directory already exists.
    """
    bundle = Path(os.path.abspath(path))
    if bundle.suffix != BUNDLE_EXTENSION:
        raise ArtifactError(f"{bundle}: the name of a bundle ends in {BUNDLE_EXTENSION}")
    try:
        files = unpack(read_file(bundle))
    except ArtifactError as error:
        raise ArtifactError(f"{bundle}: {error}") from error
    directory = bundle.with_suffix("")
    write_all({directory: files}, force=False)
    return str(directory)
