"""The process that runs cases: `python -m fuzz.child FORMAT SEED FIRST COUNT`, started by `fuzz.runner`.

It makes the seeds, says `ready`, and for each line that it reads runs the next case and says
`kind<tab>bytes<tab>message`.
"""

from __future__ import annotations

import os
import re
import resource
import sys
import tempfile
import traceback
from pathlib import Path

from fuzz.formats import FORMATS, FormatModule
from fuzz.runner import MEMORY_LIMIT, SLACK, make_case, write_case
from sensenet.errors import LimitError, SensenetError

ADDRESS_SPACE = 12 << 30
"""Bytes that the process may reserve: much more than it may use, since packages reserve a lot."""

PAGE = resource.getpagesize()


def main(name: str, seed: int, first: int, count: int) -> None:
    """Run cases as long as lines come."""
    module = FORMATS[name].load()
    seeds = module.seeds()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # whatever else writes to stdout
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("ready", file=out)
    for number in range(first, first + count):
        if not sys.stdin.readline():
            return
        case = make_case(module, seeds, name, seed, number)
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            write_case(case, Path(folder))
            weight = sum(map(len, case.values()))
            kind, size, message = run_case(module, Path(folder), weight)
        print(kind, size, message, sep="\t", file=out)


def run_case(module: FormatModule, folder: Path, weight: int) -> tuple[str, int, str]:
    """What a case did, how many bytes it took, and what there is to say of it."""
    reset_peak()
    before = read_status("VmRSS") + read_status("VmSwap")
    try:
        module.open(folder)
        kind, message = "answered", ""
    except SensenetError as error:
        kind, message = describe(error, folder)
    except MemoryError as error:
        kind, message = "foreign", locate(error)
    except Exception as error:
        kind, message = "foreign", locate(error)
    size = max(read_status("VmHWM") - before, 0)
    if kind in ("answered", "refused") and size > MEMORY_LIMIT + SLACK + 4 * weight:
        kind, message = "memory", "more memory than the limit"
    return kind, size, message


def describe(error: SensenetError, folder: Path) -> tuple[str, str]:
    """Whether an error of ours is as it should be."""
    cause: BaseException = error
    while isinstance(cause.__cause__, BaseException):
        cause = cause.__cause__
    if isinstance(cause, MemoryError) and not isinstance(cause, LimitError):
        return "memory", f"asked the system for too much: {locate(cause)}"
    try:
        str(error).encode()
    except Exception as fault:
        return "foreign", f"a message that cannot be printed: {locate(fault)}"
    return "refused", ""


def locate(error: BaseException) -> str:
    """The type of an error, the line of ours that raised it, and the beginning of its message."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "sensenet" in frame.filename]
    where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno} {ours[-1].name}" if ours else "?"
    message = re.sub(r"\d+", "N", ascii(str(error))[:100])
    return f"{type(error).__name__} at {where}: {message}"


def reset_peak() -> None:
    """Let the kernel measure the peak of memory from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def read_status(key: str) -> int:
    """Bytes that the kernel tells of this process under that key."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) << 10
    raise KeyError(key)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
