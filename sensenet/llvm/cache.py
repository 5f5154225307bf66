"""Compiled code on disk, so that a process need not compile what another has compiled.

The code is machine code, which runs with all rights of this process. So it is read only from a directory and
from files that belong to this user, and that nobody else may write. SENSENET_NATIVE_CACHE names another
directory than ~/.cache/sensenet/native; if it is empty, nothing is kept. Whatever fails, code is compiled.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

VARIABLE = "SENSENET_NATIVE_CACHE"

FOLDER = "native"
"""The folder of machine code in the cache."""

MOST_FILES = 256
"""Files of a full cache; half of them, the oldest, are removed then."""

LARGEST_FILE = 1 << 20
"""Bytes of the largest code that is kept; constants are not part of it."""

DIGEST_LENGTH = hashlib.sha256().digest_size


def cache_directory() -> Path | None:
    """Return the directory of compiled code; None if none is kept, or files have no owners on this system."""
    given = os.environ.get(VARIABLE)
    if given == "" or not hasattr(os, "geteuid") or not hasattr(os, "O_NOFOLLOW"):
        return None
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    with contextlib.suppress(RuntimeError):  # without a home
        return (Path(given) if given else Path(home, "sensenet", FOLDER)).expanduser()
    return None


def code_key(*parts: str) -> str:
    """Return the name of the code that is made of these texts: a digest of all."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()


def find_code(key: str) -> bytes | None:
    """Return the code of a key, or None."""
    directory = cache_directory()
    if directory is None:
        return None
    try:
        with _opened_directory(directory) as opened:
            descriptor = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened)
            with open(descriptor, "rb") as file:
                if not _is_ours(os.fstat(descriptor), stat.S_ISREG):
                    return None
                content = file.read(LARGEST_FILE + DIGEST_LENGTH + 1)
    except (OSError, ValueError):
        return None
    digest, code = content[:DIGEST_LENGTH], content[DIGEST_LENGTH:]
    return code if hashlib.sha256(code).digest() == digest else None


def keep_code(key: str, code: bytes) -> None:
    """Keep the code of a key; other processes see all of it or nothing."""
    directory = cache_directory()
    if directory is None or len(code) > LARGEST_FILE:
        return
    with contextlib.suppress(OSError, ValueError):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened_directory(directory) as opened:
            _remove_oldest(opened)
            temporary = f".{key}.{os.urandom(8).hex()}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            try:
                with open(os.open(temporary, flags, 0o600, dir_fd=opened), "wb") as file:
                    file.write(hashlib.sha256(code).digest() + code)
                os.replace(temporary, key, src_dir_fd=opened, dst_dir_fd=opened)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=opened)
                raise


@contextlib.contextmanager
def _opened_directory(path: Path) -> Iterator[int]:
    """Open a directory; raise PermissionError unless it is this user's, and nobody else may write to it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if not _is_ours(os.fstat(descriptor), stat.S_ISDIR):
            raise PermissionError(f"others may write to {path}")
        yield descriptor
    finally:
        os.close(descriptor)


def _is_ours(found: os.stat_result, has_kind: Callable[[int], bool]) -> bool:
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return has_kind(found.st_mode) and found.st_uid == os.geteuid() and not others_write


def _remove_oldest(directory: int) -> None:
    """Remove half of the files, the oldest, if there are too many."""
    names = os.listdir(directory)
    if len(names) < MOST_FILES:
        return
    ages = {}
    for name in names:
        with contextlib.suppress(OSError):
            ages[name] = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime_ns
    for name in sorted(ages, key=ages.__getitem__)[: len(ages) // 2]:
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=directory)
