"""Runs cases in child processes, and tells which of them did what no file may do.

| finding | what happened |
|---|---|
| foreign | an exception that is not a SensenetError, or one whose message cannot be printed |
| crash | the process died |
| hang | a case took more than SECONDS |
| memory | a case took more than the limit on memory and SLACK, or asked the system for that much |

A case is made from the name of its format, the seed of the run and its number alone, so each finding can be
repeated: `python tests/fuzz FORMAT --seed SEED --case NUMBER`.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import attrs
from attrs import field, frozen

from fuzz.formats import Case, FormatModule

TESTS = Path(__file__).parents[1]

SECONDS = 30
"""Of a processor: a case that takes more hangs, and so does one that takes WAIT times as long otherwise."""

WAIT = 10
"""On a busy machine a process waits for a processor."""

START_SECONDS = 120
"""Of a processor, for making the seeds."""

MEMORY_LIMIT = 256 << 20
"""The bound that children are given by SENSENET_MEMORY_LIMIT: small, so that what passes it by shows soon."""

SLACK = 192 << 20
"""Bytes beyond the bound for Python's own objects and for packages that are imported at first use."""

BATCH = 5000
"""Cases of a child, which then makes room for a new one."""


@frozen(kw_only=True)
class Finding:
    """What a case did that it may not do."""

    kind: str
    number: int
    message: str


@attrs.define
class Outcome:
    """How a run went."""

    cases: int = 0
    answered: int = 0
    seconds: float = 0.0
    most_memory: int = 0
    """The most bytes that a case took beyond what the process had."""
    findings: list[Finding] = field(factory=list)

    def lines(self) -> list[str]:
        """A summary for people; findings of one kind and message once, with their number."""
        refused = self.cases - self.answered - len(self.findings)
        total = (
            f"{self.cases} cases in {self.seconds:.0f} s: {self.answered} answered, {refused} refused, "
            f"{len(self.findings)} findings; at most {self.most_memory >> 20} MiB a case"
        )
        counts = Counter((finding.kind, finding.message) for finding in self.findings)
        firsts = {(finding.kind, finding.message): finding.number for finding in reversed(self.findings)}
        return [total] + [
            f"{count} × {kind} (case {firsts[kind, message]}): {message}"
            for (kind, message), count in counts.most_common()
        ]


def make_case(module: FormatModule, seeds: list[Case], name: str, seed: int, number: int) -> Case:
    """The case of that number: a seed, damaged once or more."""
    random = Random(f"{name}-{seed}-{number}")
    return module.mutate(random.choice(seeds), random)


def write_case(case: Case, folder: Path) -> None:
    """Write the files of a case into a folder."""
    for name, content in case.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def run(name: str, seed: int, go_on: Callable[[int], bool], first: int = 0) -> Outcome:
    """Run the cases of a format from a number on, as long as `go_on` of the next number is true."""
    outcome, start, number = Outcome(), time.monotonic(), first
    while go_on(number):
        number = _run_child(name, seed, number, go_on, outcome)
    outcome.seconds = time.monotonic() - start
    return outcome


def _run_child(name: str, seed: int, number: int, go_on: Callable[[int], bool], outcome: Outcome) -> int:
    """Run a child from a case on; return the number of the next case that is to be run."""
    environment = {
        **os.environ,
        "SENSENET_MEMORY_LIMIT": str(MEMORY_LIMIT),
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH")])
        ),
        "PYTHONHASHSEED": "0",
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "fuzz.child", name, str(seed), str(number), str(BATCH)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
        encoding="utf-8",
    )
    assert child.stdin is not None
    assert child.stdout is not None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_forward, args=(child.stdout, lines))
    reader.start()
    try:
        if _answer(child.pid, lines, START_SECONDS) != "ready":
            raise RuntimeError(f"the fuzzer of {name} does not start: run python -m fuzz.child in tests/")
        last = number + BATCH
        while number < last and go_on(number):
            child.stdin.write("\n")
            child.stdin.flush()
            outcome.cases += 1
            line = _answer(child.pid, lines, SECONDS)
            if line is None or line == "":
                kind = "hang" if line is None else "crash"
                message = "" if line is None else f"exit code {child.wait()}"
                outcome.findings.append(Finding(kind=kind, number=number, message=message))
                return number + 1
            _note(line, number, outcome)
            number += 1
        return number
    except BrokenPipeError:
        outcome.findings.append(Finding(kind="crash", number=number, message=f"exit code {child.wait()}"))
        outcome.cases += 1
        return number + 1
    finally:
        child.kill()
        child.wait()
        reader.join()
        child.stdin.close()
        child.stdout.close()


def _answer(pid: int, lines: queue.SimpleQueue[str | None], seconds: float) -> str | None:
    """What a child says, the empty text if it has died; None if it takes longer than that of a processor."""
    before = _processor_seconds(pid)
    for _ in range(WAIT):
        line = _next_line(lines, seconds)
        if line is not None or _processor_seconds(pid) - before > seconds:
            return line
    return None


def _processor_seconds(pid: int) -> float:
    """The time that a process has had of processors."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _note(line: str, number: int, outcome: Outcome) -> None:
    """Count what a child says of a case: `kind<tab>bytes<tab>message`."""
    kind, size, message = line.split("\t", 2)
    outcome.most_memory = max(outcome.most_memory, int(size))
    outcome.answered += kind == "answered"
    if kind not in ("answered", "refused"):
        outcome.findings.append(Finding(kind=kind, number=number, message=message))


def _forward(stream: Iterator[str], lines: queue.SimpleQueue[str | None]) -> None:
    """Put the lines of a stream into a queue; an empty text at its end."""
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put("")


def _next_line(lines: queue.SimpleQueue[str | None], seconds: float) -> str | None:
    """The next line, the empty text at the end; None if there is none in time."""
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return None
