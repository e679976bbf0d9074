"""The kernels as C: each statement of theirs becomes the statement of C that means the same.

Kernels are written in a part of Python that C has, too: 64-bit integers, flat tables of them, bytes, calls of each
other. What lies outside of that part is a TypeError here, when the kernels are built. Two things differ and are spelt
out: `//` rounds down, and signed arithmetic wraps (compiled with -fwrapv) where Python's grows; a kernel that may
exceed 63 bits masks its result.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from analyzer.kernels.engine.expressions import Expressions
from analyzer.kernels.engine.prelude import LOADS, PRELUDE, SELDOM, TABLES, load, number
from analyzer.kernels.engine.registry import ENTRY_POINTS, TAKES, arguments
from analyzer.kernels.sources import KERNELS

INDENT = "    "


def translate(entry_points: Iterable[str] = ENTRY_POINTS) -> str:
    """The C source of these kernels and of all that they call; raises TypeError for what has no counterpart in C."""
    entry_points = tuple(entry_points)
    wanted: list[str] = []
    for name in entry_points:
        _collect(name, wanted)
    tuples: dict[tuple[int, ...], str] = {}
    functions = [
        load(name) if name in LOADS else _Function(KERNELS[name], tuples, is_entry=name in entry_points).source()
        for name in wanted
    ]
    tables = [f"static const word {name}[] = {{{', '.join(map(number, values))}}};" for values, name in tuples.items()]
    return "\n".join([PRELUDE, *tables, "", *functions])


def _collect(name: str, wanted: list[str]) -> None:
    """Add a kernel to the list, behind those that it calls."""
    function = KERNELS[name]
    for called in function.__code__.co_names:
        if called in KERNELS and called not in wanted and called != name and function.__globals__.get(called):
            _collect(called, wanted)
    if name not in wanted:
        wanted.append(name)


class _Function(Expressions):
    """One kernel on its way to C."""

    def __init__(self, function: Callable[..., Any], tuples: dict[tuple[int, ...], str], *, is_entry: bool) -> None:
        super().__init__(function, tuples)
        self._is_entry = is_entry

    def source(self) -> str:
        name = self._function.__name__
        result = "void" if self._function.__annotations__["return"] == "None" else "word"
        body = list(self._block(self._tree.body))
        fresh = sorted(self._locals - self._kinds.keys())
        declared = [f"{INDENT}word {', '.join(f'{one}_ = 0' for one in fresh)};"] if fresh else []
        lines = [*declared, *(INDENT + line for line in body)]
        if not self._is_entry:
            kind = "SELDOM" if name in SELDOM else "INLINE"
            return "\n".join([f"{kind} {result} {name}({self._parameters()}) {{", *lines, "}", ""])
        guard = ["#ifdef CHECKED", f"{INDENT}if (setjmp(out_of_bounds)) return INT64_MIN;", "#endif"]
        takes = f'ENTRY const char {name}{TAKES}[] = "{" ".join(arguments(self._function).values())}";'
        return "\n".join([takes, f"ENTRY {result} {name}({self._parameters()}) {{", *guard, *lines, "}", ""])

    def _parameters(self) -> str:
        given = []
        for name, kind in self._kinds.items():
            given += [f"{TABLES[kind]} {name}_", f"word {name}_size"] if kind in TABLES else [f"word {name}_"]
        return ", ".join(given)

    # Statements.

    def _block(self, body: list[ast.stmt]) -> Iterator[str]:
        for statement in body:
            handler = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if handler is None:
                raise self._unknown(statement)
            yield from handler(statement)

    def _indented(self, body: list[ast.stmt]) -> Iterator[str]:
        for line in self._block(body):
            yield INDENT + line

    def _expr(self, node: ast.Expr) -> Iterator[str]:
        if not isinstance(node.value, ast.Constant):  # a docstring
            yield f"{self._value(node.value)};"

    def _return(self, node: ast.Return) -> Iterator[str]:
        yield f"return {self._value(node.value)};" if node.value else "return;"

    def _break(self, node: ast.Break) -> Iterator[str]:
        yield "break;"

    def _continue(self, node: ast.Continue) -> Iterator[str]:
        yield "continue;"

    def _if(self, node: ast.If) -> Iterator[str]:
        yield f"if ({self._condition(node.test)}) {{"
        yield from self._indented(node.body)
        if node.orelse:
            yield "} else {"
            yield from self._indented(node.orelse)
        yield "}"

    def _while(self, node: ast.While) -> Iterator[str]:
        yield f"while ({self._condition(node.test)}) {{"
        yield from self._indented(node.body)
        yield "}"

    def _for(self, node: ast.For) -> Iterator[str]:
        """A loop over a range, or over what a tuple holds; its variable is set anew at each turn, as in Python."""
        if not isinstance(node.target, ast.Name) or node.orelse:
            raise self._unknown(node)
        count = self._temporary()
        if isinstance(node.iter, ast.Call):
            bounds = [self._value(one) for one in node.iter.args]
            start, stop = ("0", bounds[0]) if len(bounds) == 1 else bounds[:2]
            step = self._constant(node.iter.args[2]) if len(bounds) == 3 else 1
            compare = "<" if step > 0 else ">"
            head = f"word {count} = {start}, {count}_stop = {stop}; {count} {compare} {count}_stop; {count} += {step}"
            value = count
        else:
            values = self._values(node.iter)
            yield f"const word {count}_of[] = {{{', '.join(values)}}};"
            yield "UNROLLED"
            head = f"word {count} = 0; {count} < {len(values)}; {count}++"
            value = f"{count}_of[{count}]"
        yield f"for ({head}) {{"
        yield f"{INDENT}{node.target.id}_ = {value};"
        yield from self._indented(node.body)
        yield "}"

    def _values(self, node: ast.expr) -> list[str]:
        if isinstance(node, ast.Tuple):
            return [self._value(one) for one in node.elts]
        return [number(value) for value in self._global(node)]

    def _assign(self, node: ast.Assign) -> Iterator[str]:
        if len(node.targets) > 1:
            raise self._unknown(node)
        target = node.targets[0]
        if isinstance(target, ast.Tuple):
            yield from self._assign_several(target, node.value)
        else:
            yield f"{self._value(target)} = {self._value(node.value)};"

    def _assign_several(self, target: ast.Tuple, value: ast.expr) -> Iterator[str]:
        if isinstance(value, ast.IfExp):
            yield f"if ({self._condition(value.test)}) {{"
            yield from (INDENT + line for line in self._assign_several(target, value.body))
            yield "} else {"
            yield from (INDENT + line for line in self._assign_several(target, value.orelse))
            yield "}"
            return
        if not isinstance(value, ast.Tuple):
            raise self._unknown(value)
        names = [self._temporary() for _ in value.elts]
        for name, one in zip(names, value.elts, strict=True):
            yield f"word {name} = {self._value(one)};"
        for name, one in zip(names, target.elts, strict=True):
            yield f"{self._value(one)} = {name};"

    def _augassign(self, node: ast.AugAssign) -> Iterator[str]:
        yield f"{self._value(node.target)} {self._operator(node.op)}= {self._value(node.value)};"
