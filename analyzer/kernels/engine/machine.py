"""Kernels as machine code: numba compiles them once, and from then on the code is loaded without numba.

Importing numba and waking its dispatchers takes several times longer than analysing a middle-sized capture. So what is
kept is object code, one file per entry point; llvmlite (which numba is built on) loads it in milliseconds, and it is
called by numba's native convention (numba/core/callconv.py, CPUCallConv): a status is returned, and the parameters
are where to put the result, where to put an exception, then every argument, an array as its seven fields
(numba/core/datamodel/models.py, ArrayModel). Kernels neither allocate nor raise, so nothing else of numba is needed.

The documented way, `numba.cfunc`, makes object code that names functions of numba and of Python for the path of an
error, which no process without numba has; and there a kernel that went out of bounds would return as if it had not.
So the convention is checked instead, where the code is made (`check_convention`).
"""

from __future__ import annotations

import ctypes
import types
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from analyzer.kernels.engine.registry import KERNELS

# Seldom run and large: inlining them would only slow down the compiler.
OUTLINED = frozenset(
    {"on_reset", "on_icmp", "on_syn", "on_fin", "end_resending", "on_handshake_ack", "new_flow", "icmp", "renumber"}
)
ITEM_SIZES = {"Ints": 8, "Buffer": 1}
INTRINSIC = "prefetch"  # not compiled from its source: what it stands for is one instruction
TO_READ, KEEP_NEAR, DATA = 0, 3, 1  # arguments of llvm.prefetch (LLVM Language Reference)


class Code(NamedTuple):
    """One compiled kernel: the name it has in its object code, and the code."""

    symbol: str
    object: bytes


def compile_kernels(numba: Any, names: Iterable[str]) -> dict[str, Code]:
    """Compile these kernels, everything they call included."""
    names = tuple(names)
    machine = _target_machine()
    codes = {}
    dispatchers = make_dispatchers(numba, names)
    for name in names:
        kinds = signature(numba, KERNELS[name])
        module = _llvm().parse_assembly(dispatchers[name].inspect_llvm(kinds))
        symbol = dispatchers[name].overloads[kinds].fndesc.llvm_func_name
        check_convention(module, symbol, _arguments(KERNELS[name]))
        codes[name] = Code(symbol, machine.emit_object(module))
    return codes


def check_convention(module: Any, symbol: str, kinds: list[str]) -> None:
    """See that a function is called as `_function` calls it, and calls nothing that only numba has.

    Raises ImportError: a later numba may have another convention, and its code must not be run.
    """
    taken = ["i64" if str(argument.type) == "i64" else "ptr" for argument in module.get_function(symbol).arguments]
    array = ["ptr", "ptr", "i64", "i64", "ptr", "i64", "i64"]
    given = ["ptr", "ptr", *(word for kind in kinds for word in (array if kind in ITEM_SIZES else ["i64"]))]
    missing = [function.name for function in module.functions if function.is_declaration]
    missing = [name for name in missing if not name.startswith("llvm.")]
    if taken != given or missing:
        raise ImportError(f"numba compiles {symbol} to {taken}, calling {missing}: a convention that we do not know")


def make_dispatchers(numba: Any, entry_points: tuple[str, ...]) -> dict[str, Any]:
    """Every kernel as a numba dispatcher whose global names are bound to the other dispatchers."""
    made: dict[str, Any] = {}
    spaces: list[dict[str, Any]] = []
    for name, function in KERNELS.items():
        if name == INTRINSIC:
            continue
        space = {key: _constant(value) for key, value in function.__globals__.items()}
        copy = types.FunctionType(function.__code__, space, name, function.__defaults__)
        copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
        # Without numba's reference counting (an atomic operation per call and array, two thirds of the time): what
        # never allocates does not need it. Without wrappers: the dispatchers are never called.
        made[name] = numba.njit(
            _nrt=False,
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
            forceinline=name not in OUTLINED and name not in entry_points,
        )(copy)
        spaces.append(space)
    called = made | {INTRINSIC: make_prefetch(numba)}
    for space in spaces:
        space.update({name: called[name] for name in called if name in space})
    for name, dispatcher in made.items():
        # In their order, so that what a kernel calls has its one signature by then; otherwise numba would make another
        # one for every constant that is passed.
        dispatcher.compile(signature(numba, KERNELS[name]))
        dispatcher.disable_compile()
    return made


def make_prefetch(numba: Any) -> Any:
    """`prefetch` as numba calls it: the address of a word of a table, handed to `llvm.prefetch`."""
    from llvmlite import ir

    def typed(context: Any, table: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(table)(context, builder, arguments[0])
            address = builder.gep(array.data, [arguments[1]])
            numbers = ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [address.type, numbers, numbers, numbers])
            function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
            builder.call(function, [address, *(numbers(value) for value in (TO_READ, KEEP_NEAR, DATA))])
            return context.get_dummy_value()

        return numba.void(table, index), generate

    return numba.extending.intrinsic(typed)


def signature(numba: Any, function: Callable[..., Any]) -> tuple[Any, ...]:
    """The argument types of a kernel, from its annotations."""
    kinds = {"int": numba.int64, "bool": numba.boolean, "Ints": numba.int64[::1], "Buffer": numba.uint8[::1]}
    return tuple(kinds[kind] for kind in _arguments(function))


def _arguments(function: Callable[..., Any]) -> list[str]:
    return [kind for name, kind in function.__annotations__.items() if name != "return"]


def _constant(value: Any) -> Any:
    """A tuple of numbers as an array: numba would copy the tuple to the stack at each use."""
    if isinstance(value, tuple) and value and all(type(item) is int for item in value):
        import numpy as np

        return np.array(value, np.int64)
    return value


def load_kernels(codes: dict[str, Code]) -> dict[str, Callable[..., int]]:
    """The kernels in these object codes, as functions that take numbers and arrays."""
    llvm = _llvm()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    for code in codes.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(code.object))
    engine.finalize_object()
    return {name: _function(engine, KERNELS[name], code.symbol) for name, code in codes.items()}


def _function(engine: Any, kernel: Callable[..., Any], symbol: str) -> Callable[..., int]:
    """One kernel as a Python function; it keeps the engine, and with it the code, alive."""
    kinds = _arguments(kernel)
    pointer, word = ctypes.c_void_p, ctypes.c_int64
    parameters: list[Any] = [pointer, pointer]
    for kind in kinds:
        parameters += [pointer, pointer, word, word, pointer, word, word] if kind in ITEM_SIZES else [word]
    address = engine.get_function_address(symbol)
    native = ctypes.CFUNCTYPE(ctypes.c_int32, *parameters)(address)
    sizes = [ITEM_SIZES.get(kind, 0) for kind in kinds]

    def call(*arguments: Any) -> int:
        result, error = ctypes.c_int64(0), ctypes.c_void_p()
        flat: list[int | None] = [ctypes.addressof(result), ctypes.addressof(error)]
        for size, argument in zip(sizes, arguments, strict=True):
            if size:
                if argument.dtype.itemsize != size or argument.dtype.kind == "f" or not argument.flags.c_contiguous:
                    raise TypeError(f"{kernel.__name__} works on plain arrays of {size} bytes an item")
                length = len(argument)
                flat += [None, None, length, size, argument.__array_interface__["data"][0], length, size]
            else:
                flat.append(argument)
        if native(*flat):
            raise IndexError(f"the compiled kernel {kernel.__name__} went out of bounds")
        return result.value

    call.engine = engine  # type: ignore[attr-defined]
    return call


def host() -> str:
    """The processor that machine code is made for."""
    llvm = _llvm()
    return f"{llvm.get_default_triple()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"


def _llvm() -> Any:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _target_machine() -> Any:
    llvm = _llvm()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )
