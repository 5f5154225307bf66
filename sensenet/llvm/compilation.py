"""Compiles modules of LLVM's language for the processor at hand, with llvmlite.

LLVM has one lock, which a forked child would find held for ever if another thread held it: forks wait while
LLVM works.
"""

from __future__ import annotations

import functools
import weakref
from typing import Any

from sensenet.forks import delay_forks
from sensenet.llvm.cache import code_key, find_code, keep_code
from sensenet.llvm.installed import EXTRA, PACKAGE, PURPOSE, require_llvm
from sensenet.optional_packages import import_package
from sensenet.records import frozen


@functools.cache
def load_llvm() -> Any:
    """Return llvmlite's binding of LLVM, ready to compile for this processor.

    Raises MissingPackageError if it is not installed, or too old, as another package may want it.
    """
    require_llvm()
    llvm: Any = import_package(f"{PACKAGE}.binding", EXTRA, PURPOSE)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@frozen(eq=False)
class MachineCode:
    """Compiled functions in memory that `engine` keeps."""

    engine: Any

    @delay_forks()
    def address(self, name: str) -> int:
        """Return the address of a function."""
        address: int = self.engine.get_function_address(name)
        return address


@delay_forks()
def compile_module(text: str, optimization: int = 0) -> MachineCode:
    """Return the functions of a module, compiled for the processor at hand or found in the cache.

    LLVM's own passes run at the level `optimization`, from 0 to 3.
    """
    llvm = load_llvm()
    triple, cpu = llvm.get_process_triple(), llvm.get_host_cpu_name()
    features = llvm.get_host_cpu_features().flatten()
    version = ".".join(map(str, llvm.llvm_version_info))
    key = code_key(text, str(optimization), triple, cpu, features, version)
    code = find_code(key)
    if code is None:
        module = llvm.parse_assembly(text)
        module.verify()
        target = llvm.Target.from_triple(triple)
        machine = target.create_target_machine(cpu=cpu, features=features, opt=2, jit=True)
        if optimization:
            options = llvm.create_pipeline_tuning_options(speed_level=optimization)
            builder = llvm.create_pass_builder(machine, options)
            builder.getModulePassManager().run(module, builder)
        code = machine.emit_object(module)
        keep_code(key, code)
    return link_object(code)


@delay_forks()
def link_object(code: bytes) -> MachineCode:
    """Return the functions of an object file for this processor."""
    llvm = load_llvm()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    linked = MachineCode(engine)
    weakref.finalize(linked, _free, engine).atexit = False
    return linked


@delay_forks()
def _free(engine: Any) -> None:
    engine.close()
