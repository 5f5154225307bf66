"""Makes code of LLVM's modules for any processor that LLVM knows.

    python -m sensenet.backends.native.emitting FORM TRIPLE CPU FEATURES ABI < module > code

LLVM ends its process if it has no code for an operation, or a processor lacks what a triple needs. So code
for other processors than this machine's is made in a process of its own.
"""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from typing import Any, Literal

from attrs import astuple

from sensenet.backends.native.code import Machine
from sensenet.errors import UnknownTargetError
from sensenet.forks import delay_forks
from sensenet.llvm.compilation import load_llvm
from sensenet.records import frozen

Form = Literal["object", "assembly", "llvm", "probe"]
"""Machine code, the same as text, LLVM's language, or a line with the layout of data before assembly."""


@frozen
class Processor:
    """What code is made for, as LLVM names it; `abi` is empty for the usual one of the triple."""

    triple: str
    cpu: str
    features: str = ""
    abi: str = ""


@functools.cache
def _llvm() -> Any:
    llvm = load_llvm()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


@delay_forks()
def host_processor() -> Processor:
    """Return this machine's processor; raises MissingPackageError without llvmlite."""
    llvm = _llvm()
    features = llvm.get_host_cpu_features().flatten()
    return Processor(llvm.get_process_triple(), llvm.get_host_cpu_name(), features)


RISCV_LINUX = ("+m,+a,+f,+d,+c,+zicsr,+zifencei", "lp64d")
"""The features and the ABI of RISC-V with Linux: LLVM's generic processor has no floating-point numbers."""

GENERIC = {"riscv64": "generic-rv64", "riscv32": "generic-rv32", "x86_64": "x86-64"}
"""The generic processors that LLVM does not call `generic`."""


def choose_processor(triple: str | None, cpu: str | None) -> Processor:
    """Return the processor of two options: this machine's without any, a generic one of a triple alone."""
    if triple is None and cpu is None:
        return host_processor()
    chosen = host_processor().triple if triple is None else complete_triple(triple)
    family = chosen.partition("-")[0]
    features, abi = RISCV_LINUX if family == "riscv64" and "-linux" in chosen else ("", "")
    return Processor(chosen, cpu or GENERIC.get(family, "generic"), features, abi)


@delay_forks()
def complete_triple(triple: str) -> str:
    """Return a triple with its vendor, if that was left out; LLVM would take the system for it."""
    parts = triple.split("-")
    if len(parts) != 3 or parts[1] == "unknown" or _llvm().get_triple_parts(triple).Vendor != "unknown":
        return triple
    return "-".join([parts[0], "unknown", *parts[1:]])


PROBE = """\
define void @add(ptr %p) {
  %a = load <16 x float>, ptr %p, align 4
  %b = fadd <16 x float> %a, %a
  store <16 x float> %b, ptr %p, align 4
  ret void
}
define float @round(float %x) {
  %y = call float @llvm.roundeven.f32(float %x)
  %z = call float @llvm.floor.f32(float %y)
  ret float %z
}
declare float @llvm.roundeven.f32(float)
declare float @llvm.floor.f32(float)
"""
"""Its assembly tells which registers a processor has, and whether it rounds by itself."""

REGISTERS = (
    (r"\bzmm\d", Machine(lanes=16, registers=32)),
    (r"\bymm\d", Machine(lanes=8, registers=16)),
    (r"\baddps\b", Machine(lanes=4, registers=16)),
    (r"\bv\d+\.4s|\bfadd\.4s", Machine(lanes=4, registers=32)),
    (r"\bvadd\.f32\s+q\d", Machine(lanes=4, registers=16)),
)
"""What assembly of `PROBE` contains, and how code is best written for such a processor."""

EXTENDED = re.compile(r"\bflds\t|%st\b")
"""What assembly for processors of the family x86 without SSE contains."""

WITHOUT_VECTORS = Machine(lanes=1, registers=16)


@frozen
class Probed:
    """How code is written for a processor, whether it has an instruction that rounds, its size_t."""

    machine: Machine
    rounds: bool
    size_type: str


@functools.lru_cache(maxsize=16)
def probe(processor: Processor) -> Probed:
    """Return what LLVM says of a processor; raises UnknownTargetError if it knows none of that name."""
    said = emit(PROBE, processor, "probe").decode()
    layout, _, assembly = said.partition("\n")
    if layout.startswith("E"):
        raise UnknownTargetError(f"{processor.triple} is big-endian: native code is for little-endian ones")
    if EXTENDED.search(assembly):
        raise UnknownTargetError(f"{processor.cpu} computes in 80 bits: choose one with SSE, cpu=pentium4")
    found = re.search(r"(?:^|-)p:(\d+)", layout)
    bits = int(found[1]) if found else 64
    if bits < 32:
        raise UnknownTargetError(
            f"{processor.triple} has pointers of {bits} bits: native code needs 32 or 64"
        )
    return Probed(
        machine=next((each for text, each in REGISTERS if re.search(text, assembly)), WITHOUT_VECTORS),
        rounds=not re.search(r"\b_?(roundevenf|floorf)\b", assembly),
        size_type=f"i{bits}",
    )


def emit(text: str, processor: Processor, form: Form) -> bytes:
    """Return a module as object file, as assembly, or as LLVM's language with the processor's layout.

    Raises UnknownTargetError if LLVM does not know the processor, or has no code for it.
    """
    if processor == host_processor():
        return make_code(text, processor, form)
    command = [sys.executable, "-m", __name__, form, *astuple(processor)]
    process = subprocess.run(command, input=text.encode(), capture_output=True, check=False)
    said = process.stderr.decode(errors="replace")
    if "is not a recognized processor" in said or "Available CPUs" in said:
        raise UnknownTargetError(f"LLVM knows no processor {processor.cpu!r} of {processor.triple}")
    if process.returncode:
        reason = _reason(said.strip().splitlines())
        raise UnknownTargetError(f"LLVM makes no code for {processor.triple}, {processor.cpu}: {reason}")
    return process.stdout


def _reason(lines: list[str]) -> str:
    """Return what LLVM said of an error, else the last line that was said."""
    errors = [line for line in lines if line.startswith("LLVM ERROR")]
    return (errors or lines or ["it ends the process"])[-1].removeprefix("RuntimeError: ")[:200]


@delay_forks()
def make_code(text: str, processor: Processor, form: Form) -> bytes:
    """Return what `emit` does, in this process."""
    llvm = _llvm()
    target = llvm.Target.from_triple(processor.triple)
    machine = target.create_target_machine(
        cpu=processor.cpu,
        features=processor.features,
        abiname=processor.abi,
        opt=2,
        reloc="pic",
        codemodel="default",
    )
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = processor.triple, str(machine.target_data)
    module.verify()
    if form == "llvm":
        return str(module).encode()
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
    if form == "object":
        code: bytes = machine.emit_object(module)
        return code
    assembly: str = machine.emit_assembly(module)
    return (f"{machine.target_data}\n{assembly}" if form == "probe" else assembly).encode()


def _main(form: Form, triple: str, cpu: str, features: str, abi: str) -> None:
    code = make_code(sys.stdin.read(), Processor(triple, cpu, features, abi), form)
    sys.stdout.buffer.write(code)


if __name__ == "__main__":
    _main(*sys.argv[1:])  # type: ignore[arg-type]
