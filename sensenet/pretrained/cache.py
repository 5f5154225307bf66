"""The directory of downloaded files: each is downloaded at first use, once for all processes."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sensenet.errors import DownloadError
from sensenet.pretrained.addresses import hide_credentials
from sensenet.pretrained.lock import file_lock
from sensenet.progress import progress_bar

if TYPE_CHECKING:
    from sensenet.pretrained.download import Patience

CACHE_VARIABLE = "BIGML_SENSENET_CACHE_PATH"
URL_VARIABLE = "BIGML_SENSENET_URL"
DEFAULT_CACHE = "~/.bigml_sensenet"
DEFAULT_URL = "https://s3.amazonaws.com/bigml-cnns/"
SMALLEST_NETWORK = 128 * 1024
"""The fewest bytes of a network; a smaller file is, for example, an error page or part of a download."""

FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def cache_directory() -> Path:
    """Return BIGML_SENSENET_CACHE_PATH, or ~/.bigml_sensenet; the directory may not exist yet."""
    return Path(os.path.expanduser(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE))


def cache_place(file_name: str) -> Path:
    """Return the path of a file in the cache; raise DownloadError unless the name is plain."""
    if not isinstance(file_name, str) or not FILE_NAME.fullmatch(file_name):
        raise DownloadError(
            f"{file_name!r} cannot be the name of a file in the cache; expected only letters, digits and ._-"
        )
    return cache_directory() / file_name


def file_url(file_name: str) -> str:
    """Return the address of the file, below BIGML_SENSENET_URL or on BigML's server.

    Raises DownloadError if BIGML_SENSENET_URL is not an address.
    """
    base = os.environ.get(URL_VARIABLE) or DEFAULT_URL
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is not a number
        usable = False
    if not usable:
        raise DownloadError(
            f"{URL_VARIABLE} is {hide_credentials(base)!r}; expected an address like {DEFAULT_URL!r}"
        )
    return f"{base.rstrip('/')}/{file_name}"


def describe_remedy(path: str) -> str:
    """Return a sentence that says what to do about a damaged or wrong file in the cache."""
    url = hide_credentials(file_url(Path(path).name))
    return f"Remove that file to download it again from {url}, or replace it by the right one"


def is_cached(file_name: str) -> bool:
    """Return whether the cache has the file, with the size of a network."""
    place = cache_place(file_name)
    try:
        return place.is_file() and place.stat().st_size >= SMALLEST_NETWORK
    except OSError:
        return False


def cache_resource_path(
    file_name: str,
    *,
    patience: Patience | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> str:
    """Return the path of a file in the cache; download the file first if the cache does not have it.

    If another process is downloading it, wait for that process. If the cache has the file, nothing is written
    and no server is asked. Raises DownloadError, which names the file, its address and its path.
    """
    place = cache_place(file_name)
    if not is_cached(file_name):
        _bring(file_name, place, patience, sleep)
    return str(place)


def _bring(file_name: str, place: Path, patience: Patience | None, sleep: Callable[[float], object]) -> None:
    from sensenet.pretrained.download import download  # takes 30 ms: not when models without it start
    from sensenet.pretrained.requests import TransferError

    url = file_url(file_name)
    shown = hide_credentials(url)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(place.with_name(f".{file_name}.lock"), sleep):
            if not is_cached(file_name):  # another process may have downloaded it meanwhile
                with progress_bar(file_name) as progress:
                    download(
                        url,
                        place,
                        smallest=SMALLEST_NETWORK,
                        progress=progress,
                        patience=patience,
                        sleep=sleep,
                    )
    except TransferError as fault:
        raise DownloadError(
            f"cannot download {file_name} from {shown}: {fault}. Without a network connection, put the file "
            f"at {place}, or set {URL_VARIABLE} to a server that has it"
        ) from fault
    except OSError as fault:
        raise DownloadError(
            f"cannot write {file_name} from {shown} to {place}: {fault}. Make that directory writable, or "
            f"set {CACHE_VARIABLE} to another one"
        ) from fault
