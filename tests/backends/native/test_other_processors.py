"""Native code for other processors: what LLVM writes for them, and answers under QEMU if it is there."""

from __future__ import annotations

import re
import shutil
import struct

import pytest
from attrs import Factory, frozen
from support.documents import DOCUMENTS, typed
from support.native_code import require_program_agrees, run_tool
from support.resources import RESOURCES

import sensenet
from sensenet.backends.native.code import Machine
from sensenet.backends.native.emitting import choose_processor, probe
from sensenet.errors import UnknownTargetError
from sensenet.frontend import import_graph

pytest.importorskip("llvmlite")


@frozen(kw_only=True)
class Foreign:
    """A processor: its number in ELF files, an instruction of its products, and what runs programs for it.

    Linkers refuse code of microcontrollers in programs of Linux, but for a flag.
    """

    triple: str
    cpu: str | None = None
    elf: int
    instruction: str
    compiler: str | None = None
    runner: str | None = None
    flags: list[str] = Factory(list)


ARM, AARCH64, RISCV, X86_64 = 40, 183, 243, 62

FOREIGN = {
    "aarch64": Foreign(
        triple="aarch64-linux-gnu",
        elf=AARCH64,
        instruction=r"fmla\tv\d+\.4s",
        compiler="aarch64-linux-gnu-gcc",
        runner="qemu-aarch64",
    ),
    "armv7": Foreign(
        triple="armv7-linux-gnueabihf",
        elf=ARM,
        instruction=r"vmul\.f32\tq\d+",
        compiler="arm-linux-gnueabihf-gcc",
        runner="qemu-arm",
    ),
    "cortex-m4": Foreign(
        triple="thumbv7em-none-eabihf",
        cpu="cortex-m4",
        elf=ARM,
        instruction=r"vmul\.f32\ts\d+",
        compiler="arm-linux-gnueabihf-gcc",
        runner="qemu-arm",
        flags=["-Wl,--no-warn-mismatch"],
    ),
    "cortex-m0": Foreign(
        triple="thumbv6m-none-eabi", cpu="cortex-m0", elf=ARM, instruction=r"bl\t__aeabi_fmul"
    ),
    "riscv64": Foreign(
        triple="riscv64-linux-gnu",
        elf=RISCV,
        instruction=r"fmadd\.s",
        compiler="riscv64-linux-gnu-gcc",
        runner="qemu-riscv64",
    ),
    "riscv32": Foreign(triple="riscv32-none-elf", cpu="sifive-e31", elf=RISCV, instruction=r"call\t__mulsf3"),
    "x86-64": Foreign(triple="x86_64-linux-gnu", elf=X86_64, instruction=r"mulps\t"),
}

EACH = pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)


@EACH
def test_objects_and_instructions(foreign, tmp_path):
    if shutil.which("nm") is None:
        pytest.skip("there is no nm")
    options = {"triple": foreign.triple, "cpu": foreign.cpu, "prefix": "m"}
    artifact = sensenet.compile(typed(), "native", **options)
    path = artifact.save(tmp_path / "m.o")
    assert struct.unpack_from("<HH", path.read_bytes(), 16) == (1, foreign.elf)
    symbols = [line.split()[-2:] for line in run_tool(["nm", str(path)]).splitlines()]
    needed = [name for kind, name in symbols if kind == "U"]
    without_floats = [name for name in needed if not re.match("__aeabi_|__[a-z]+[sd][if]\\d$", name)]
    assert without_floats == []
    assert bool(needed) == ("call" in foreign.instruction or "bl" in foreign.instruction)
    assert [name for kind, name in symbols if kind == "T"] == ["m_predict"]
    assembly = sensenet.compile(typed(), "native", emit="assembly", **options).files["model.s"].decode()
    assert re.search(foreign.instruction, assembly)


MODELS = {"ensemble": DOCUMENTS["ensemble"], "mixed": RESOURCES["mixed"]}


@EACH
def test_programs_for_them_answer_as_the_interpreter(foreign, tmp_path):
    if foreign.runner is None:
        pytest.skip("nothing runs programs of this processor")
    for tool in (foreign.compiler, foreign.runner):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    graphs = {name: import_graph(make()) for name, make in MODELS.items()}
    options = {"triple": foreign.triple, "cpu": foreign.cpu}
    artifacts = {
        name: sensenet.compile(graph, "native", prefix=name, **options) for name, graph in graphs.items()
    }
    flags = ["-static", "-DGUARDED", *foreign.flags]
    require_program_agrees(
        tmp_path, graphs, artifacts, runner=[foreign.runner], compiler=foreign.compiler, flags=flags
    )


@pytest.mark.parametrize(
    ("triple", "cpu", "machine"),
    [
        ("x86_64-linux-gnu", None, Machine(lanes=4, registers=16)),
        ("x86_64-linux-gnu", "haswell", Machine(lanes=8, registers=16)),
        ("x86_64-linux-gnu", "skylake-avx512", Machine(lanes=16, registers=32)),
        ("aarch64-linux-gnu", None, Machine(lanes=4, registers=32)),
        ("arm64-apple-macosx", None, Machine(lanes=4, registers=32)),
        ("armv7-linux-gnueabihf", None, Machine(lanes=4, registers=16)),
        ("thumbv7em-none-eabi", "cortex-m4", Machine(lanes=1, registers=16)),
    ],
)
def test_registers_are_those_of_the_processor(triple, cpu, machine):
    assert probe(choose_processor(triple, cpu)).machine == machine


@pytest.mark.parametrize(
    ("triple", "complete"),
    [
        ("thumbv7em-none-eabihf", "thumbv7em-unknown-none-eabihf"),
        ("aarch64-linux-gnu", "aarch64-unknown-linux-gnu"),
        ("arm64-apple-macosx", "arm64-apple-macosx"),
        ("x86_64-unknown-linux", "x86_64-unknown-linux"),
        ("x86_64-pc-windows-msvc", "x86_64-pc-windows-msvc"),
    ],
)
def test_triples_get_their_vendor(triple, complete):
    assert choose_processor(triple, None).triple == complete


@pytest.mark.parametrize(
    ("triple", "cpu", "message"),
    [
        ("nosuch", None, 'no code for nosuch, generic: No available targets .* "nosuch"'),
        ("aarch64-linux-gnu", "nosuch", "knows no processor 'nosuch' of aarch64-unknown-linux-gnu"),
        (None, "nosuch", "knows no processor 'nosuch' of "),
        ("aarch64-linux-gnu", "help", "knows no processor 'help' of "),
        ("x86_64-linux-gnu", "i386", "64-bit code requested on a subtarget that doesn't support it"),
        ("i686-linux-gnu", "generic", "computes in 80 bits: choose one with SSE"),
        ("s390x-linux-gnu", None, "is big-endian"),
        ("avr", None, "has pointers of 16 bits"),
    ],
)
def test_processors_that_cannot_be(triple, cpu, message):
    with pytest.raises(UnknownTargetError, match=message):
        sensenet.compile(typed(), "native", triple=triple, cpu=cpu)


def test_windows_and_macos_have_their_own_objects():
    windows = sensenet.compile(typed(), "native", triple="x86_64-pc-windows-msvc").files["model.o"]
    macos = sensenet.compile(typed(), "native", triple="arm64-apple-macosx").files["model.o"]
    assert windows.startswith(b"\x64\x86")
    assert macos.startswith(b"\xcf\xfa\xed\xfe")
    assert b"_model_predict" in macos


def test_a_header_names_the_processor():
    header = sensenet.compile(typed(), "native", triple="aarch64-linux-gnu").files["model.h"].decode()
    assert "for aarch64-unknown-linux-gnu, generic." in header
    assert len(re.findall(r"MODEL_STACK \d+", header)) == 1
