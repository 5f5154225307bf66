"""Lists the images in a folder, and counts its other files."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sensenet.errors import InputError, LimitError
from sensenet.records import frozen
from sensenet.runtime.decode_image import open_image
from sensenet.runtime.decoding import image_suffixes


@frozen
class ImageFolder:
    """The images in a folder, by name; `passed_over` is the number of other entries."""

    path: str
    images: Sequence[str]
    passed_over: int

    @property
    def notes(self) -> tuple[str, ...]:
        """Return a note on the number of skipped entries, if any."""
        if not self.passed_over:
            return ()
        verb = "was" if self.passed_over == 1 else "were"
        found = self.passed_over + len(self.images)
        return (f"{self.path}: {self.passed_over} of {found} entries {verb} skipped: not images",)


def read_image_folder(path: str) -> ImageFolder:
    """Return the images in a folder, in the order of their names.

    Hidden files, other files and subfolders are skipped. A file is an image by its suffix or, with any other
    suffix, by its content. Raises InputError if there is no image, or the folder cannot be read.
    """
    try:
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"the folder {path} cannot be read: {error.strerror or error}") from error
    images = [entry.path for entry in found if _is_image(entry)]
    passed_over = len(found) - len(images)
    if not images:
        raise InputError(f"the folder {path} contains no images ({passed_over} other entries)")
    return ImageFolder(path, images, passed_over)


def _is_image(entry: os.DirEntry[str]) -> bool:
    try:
        if entry.name.startswith(".") or not entry.is_file():
            return False
    except OSError:  # a loop of links
        return False
    return os.path.splitext(entry.name)[1].lower() in image_suffixes() or _holds_image(entry.path)


def _holds_image(path: str) -> bool:
    """Return whether the content of a file is an image, in a format that has a signature."""
    try:
        return open_image(path, path).format != "TGA"
    except LimitError:
        return True
    except InputError:
        return False
