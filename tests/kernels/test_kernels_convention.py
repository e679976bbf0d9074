"""How machine code is called: checked where it is made, for what is called otherwise crashes."""

from __future__ import annotations

import llvmlite.binding as llvm
import pytest

from analyzer.kernels.engine.machine import check_convention

TABLE = "ptr %a, ptr %b, i64 %n, i64 %s, ptr %data, i64 %d, i64 %t"
KNOWN = f"ptr %result, ptr %error, {TABLE}, i64 %number"


def compiled(parameters: str, body: str = "ret i32 0", declared: str = "") -> llvm.ModuleRef:
    return llvm.parse_assembly(f"{declared}\ndefine i32 @kernel({parameters}) {{ {body} }}")


def test_a_table_is_seven_words_and_a_number_one() -> None:
    check_convention(compiled(KNOWN), "kernel", ["Ints", "int"])


@pytest.mark.parametrize(
    "parameters",
    [
        KNOWN.removeprefix("ptr %result, "),
        f"{KNOWN}, ptr %environment",
        KNOWN.replace("i64 %n,", "ptr %n,"),
        "ptr %result, ptr %error, i64 %number",
    ],
)
def test_another_convention_is_not_called(parameters: str) -> None:
    with pytest.raises(ImportError, match="a convention that we do not know"):
        check_convention(compiled(parameters), "kernel", ["Ints", "int"])


def test_what_only_numba_has_is_not_called() -> None:
    calling = compiled(KNOWN, "call void @numba_gil_ensure() ret i32 0", "declare void @numba_gil_ensure()")
    with pytest.raises(ImportError, match="numba_gil_ensure"):
        check_convention(calling, "kernel", ["Ints", "int"])


def test_what_the_processor_has_may_be_called() -> None:
    check_convention(
        compiled(KNOWN, "%x = call i64 @llvm.abs.i64(i64 1, i1 0) ret i32 0", "declare i64 @llvm.abs.i64(i64, i1)"),
        "kernel",
        ["Ints", "int"],
    )
