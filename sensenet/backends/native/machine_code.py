"""Compiles modules of LLVM's language for the processor at hand, with llvmlite."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from attrs import frozen

from sensenet.backends.native.cache import code_key, find_code, keep_code
from sensenet.backends.native.code import Machine
from sensenet.backends.optional import import_package

EXTRA = "native"

POINTER, COUNT = ctypes.c_void_p, ctypes.c_int64

SIGNATURE = (None, POINTER, POINTER, COUNT, POINTER, POINTER)
"""The result and the parameters of the functions that `write_module` writes."""


@functools.cache
def load_llvm() -> Any:
    """Return llvmlite's binding of LLVM, ready to compile for this processor."""
    llvm: Any = import_package("llvmlite.binding", EXTRA, "machine code")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def host_machine() -> Machine:
    """Return the machine at hand."""
    features = load_llvm().get_host_cpu_features()
    if features.get("avx512f"):
        return Machine(lanes=16, registers=32)
    if features.get("avx2") and features.get("fma"):
        return Machine(lanes=8, registers=16)
    return Machine(lanes=4, registers=32 if features.get("neon") else 16)


@frozen(eq=False)
class MachineCode:
    """A compiled function at an address; `owner` keeps the memory of its code."""

    address: int
    owner: Any

    def releasing(self) -> Any:
        """Return the function; other threads run Python while it does."""
        return ctypes.CFUNCTYPE(*SIGNATURE)(self.address)

    def holding(self) -> Any:
        """Return the function; other threads wait for it, which for short calls takes less time."""
        return ctypes.PYFUNCTYPE(*SIGNATURE)(self.address)


def compile_module(text: str, name: str) -> MachineCode:
    """Return the function of that name, compiled for the processor at hand or found in the cache."""
    llvm = load_llvm()
    triple, cpu = llvm.get_process_triple(), llvm.get_host_cpu_name()
    features = llvm.get_host_cpu_features().flatten()
    key = code_key(text, triple, cpu, features, ".".join(map(str, llvm.llvm_version_info)))
    code = find_code(key)
    if code is None:
        module = llvm.parse_assembly(text)
        module.verify()
        target = llvm.Target.from_triple(triple)
        code = target.create_target_machine(cpu=cpu, features=features, opt=2, jit=True).emit_object(module)
        keep_code(key, code)
    return link_object(code, name)


def link_object(code: bytes, name: str) -> MachineCode:
    """Return the function of that name in an object file for this processor."""
    llvm = load_llvm()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return MachineCode(engine.get_function_address(name), engine)
