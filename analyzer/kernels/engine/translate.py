"""The kernels as C: each statement of theirs becomes the statement of C that means the same.

Kernels are written in a part of Python that C has, too: 64-bit integers, flat tables of them, bytes, calls of each
other. What lies outside of that part is a TypeError here, when the kernels are built. Two things differ and are spelt
out: `//` rounds down, and signed arithmetic wraps (compiled with -fwrapv) where Python's grows; a kernel that may
exceed 63 bits masks its result.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from analyzer.kernels.engine.registry import ENTRY_POINTS, KERNELS

PRELUDE = """\
#include <stdint.h>
typedef int64_t word;
#ifdef _WIN32
#define ENTRY __declspec(dllexport)
#else
#define ENTRY __attribute__((visibility("default")))
#endif
#define INLINE static inline __attribute__((always_inline))
#define SELDOM static __attribute__((noinline, cold))
#ifdef CHECKED
/* A word or byte that is not there: the entry point returns at once, and says so. */
#include <setjmp.h>
static _Thread_local jmp_buf out_of_bounds;
INLINE word within(word index, word size) { if (index < 0 || index >= size) longjmp(out_of_bounds, 1); return index; }
#define AT(table, index) table[within(index, table##size)]
#else
#define AT(table, index) table[index]
#endif
INLINE word floor_div(word a, word b) { word q = a / b; return q - ((a % b != 0) & ((a ^ b) < 0)); }
INLINE word floor_mod(word a, word b) { word r = a % b; return r + (((r != 0) & ((r ^ b) < 0)) ? b : 0); }
INLINE word min(word a, word b) { return a < b ? a : b; }
INLINE word max(word a, word b) { return a > b ? a : b; }
INLINE word magnitude(word a) { return a < 0 ? -a : a; }
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BIG(bits, number) __builtin_bswap##bits(number)
#define LITTLE(bits, number) number
#else
#define BIG(bits, number) number
#define LITTLE(bits, number) __builtin_bswap##bits(number)
#endif
"""
# Kernels whose source spells out what is one instruction: no compiler that we know sees that.
LOAD = """\
INLINE word {name}(const uint8_t *buf_, word buf_size, word at_) {{
    uint{bits}_t number;
    __builtin_memcpy(&number, &AT(buf_, at_), {size});
    (void)AT(buf_, at_ + {size} - 1);
    return {order}({bits}, number);
}}
"""
LOADS = {"be16": ("BIG", 16), "be32": ("BIG", 32), "le32": ("LITTLE", 32)}
# Seldom run and large: inlining them would only make the frequent path longer.
SELDOM = frozenset(
    {"on_reset", "on_icmp", "on_syn", "on_fin", "end_resending", "on_handshake_ack", "new_flow", "icmp", "renumber"}
)
TABLES = {"Ints": "word *restrict", "Buffer": "const uint8_t *restrict"}
OPERATORS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.And: "&&",
    ast.Or: "||",
    ast.USub: "-",
    ast.Invert: "~",
}
INDENT = "    "
OUT_OF_BOUNDS = -(1 << 63)  # what an entry point returns where the library was compiled with -DCHECKED


def translate(entry_points: Iterable[str] = ENTRY_POINTS) -> str:
    """The C source of these kernels and of all that they call; raises TypeError for what has no counterpart in C."""
    entry_points = tuple(entry_points)
    wanted: list[str] = []
    for name in entry_points:
        _collect(name, wanted)
    tuples: dict[tuple[int, ...], str] = {}
    functions = [
        _load(name) if name in LOADS else _Function(KERNELS[name], tuples, is_entry=name in entry_points).source()
        for name in wanted
    ]
    tables = [f"static const word {name}[] = {{{', '.join(map(_number, values))}}};" for values, name in tuples.items()]
    return "\n".join([PRELUDE, *tables, "", *functions])


def _load(name: str) -> str:
    order, bits = LOADS[name]
    return LOAD.format(name=name, order=order, bits=bits, size=bits // 8)


def _collect(name: str, wanted: list[str]) -> None:
    """Add a kernel to the list, behind those that it calls."""
    function = KERNELS[name]
    for called in function.__code__.co_names:
        if called in KERNELS and called not in wanted and called != name and function.__globals__.get(called):
            _collect(called, wanted)
    if name not in wanted:
        wanted.append(name)


def arguments(function: Callable[..., Any]) -> dict[str, str]:
    """The parameters of a kernel, and what each is: int, bool, Ints or Buffer."""
    return {name: kind for name, kind in function.__annotations__.items() if name != "return"}


def _number(value: int) -> str:
    # The lowest number of 64 bits has no literal of its own in C.
    return f"INT64_C({value})" if value > -(1 << 63) else "INT64_MIN"


class _Function:
    """One kernel on its way to C."""

    def __init__(self, function: Callable[..., Any], tuples: dict[tuple[int, ...], str], *, is_entry: bool) -> None:
        self._function, self._tuples, self._is_entry = function, tuples, is_entry
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        assert isinstance(tree, ast.FunctionDef)
        self._tree = tree
        self._kinds = arguments(function)
        self._locals = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and _is_store(node)}
        self._truths = self._find_truths()
        self._temporaries = 0

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
        return "\n".join([f"ENTRY {result} {name}({self._parameters()}) {{", *guard, *lines, "}", ""])

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
            head = f"word {count} = 0; {count} < {len(values)}; {count}++"
            value = f"{count}_of[{count}]"
        yield f"for ({head}) {{"
        yield f"{INDENT}{node.target.id}_ = {value};"
        yield from self._indented(node.body)
        yield "}"

    def _values(self, node: ast.expr) -> list[str]:
        if isinstance(node, ast.Tuple):
            return [self._value(one) for one in node.elts]
        return [_number(value) for value in self._global(node)]

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

    # Expressions.

    def _condition(self, node: ast.expr) -> str:
        """An expression of which only the truth counts."""
        if isinstance(node, ast.BoolOp):
            return f"({f' {self._operator(node.op)} '.join(map(self._condition, node.values))})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"!{self._condition(node.operand)}"
        return self._value(node)

    def _is_truth(self, node: ast.expr) -> bool:
        """Whether this is True or False in Python, and so 1 or 0."""
        if isinstance(node, ast.BoolOp):
            return all(map(self._is_truth, node.values))
        if isinstance(node, ast.BinOp):
            return self._is_truth(node.left) and self._is_truth(node.right)
        if isinstance(node, ast.Call):
            kernel = KERNELS.get(node.func.id) if isinstance(node.func, ast.Name) else None
            return kernel is not None and kernel.__annotations__["return"] == "bool"
        if isinstance(node, ast.Name):
            return self._kinds.get(node.id) == "bool" or node.id in self._truths
        if isinstance(node, ast.Constant):
            return isinstance(node.value, bool)
        return isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))

    def _find_truths(self) -> set[str]:
        """The variables that are only ever given truths."""
        stores = [node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name) and _is_store(node)]
        given: dict[str, list[ast.expr]] = {name: [] for name in stores}
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                given[node.targets[0].id].append(node.value)
        self._truths = {name for name, values in given.items() if len(values) == stores.count(name)}
        while others := {name for name in self._truths if not all(map(self._is_truth, given[name]))}:
            self._truths -= others
        return self._truths

    def _value(self, node: ast.expr) -> str:
        if isinstance(node, ast.BinOp | ast.UnaryOp) and self._is_constant(node):
            return _number(self._constant(node))
        match node:
            case ast.Constant():
                return _number(self._constant(node))
            case ast.Name(id=name):
                if name in self._locals or name in self._kinds:
                    return f"{name}_"
                return _number(self._constant(node))
            case ast.Subscript(value=ast.Name(id=table), slice=index):
                return self._item(table, index)
            case ast.BinOp(left=left, op=ast.FloorDiv() | ast.Mod() as operator, right=right):
                return self._division(left, operator, right)
            case ast.BinOp(left=left, op=operator, right=right):
                return f"({self._value(left)} {self._operator(operator)} {self._value(right)})"
            case ast.UnaryOp(op=ast.Not()):
                return self._condition(node)
            case ast.UnaryOp(op=operator, operand=operand):
                return f"({self._operator(operator)}{self._value(operand)})"
            case ast.BoolOp() if self._is_truth(node):
                return self._condition(node)
            case ast.Compare():
                return self._comparison(node)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return f"({self._condition(test)} ? {self._value(body)} : {self._value(orelse)})"
            case ast.Call(func=ast.Name(id=name), args=given):
                return self._call(name, given)
        raise self._unknown(node)

    def _item(self, table: str, index: ast.expr) -> str:
        if table not in self._kinds:
            return f"{self._tuple(table)}[{self._value(index)}]"
        word = f"AT({table}_, {self._value(index)})"
        return word if self._kinds[table] == "Ints" else f"(word){word}"

    def _division(self, left: ast.expr, operator: ast.operator, right: ast.expr) -> str:
        divisor = self._constant(right) if self._is_constant(right) else 0
        if divisor > 0 and divisor & (divisor - 1) == 0:  # a shift rounds down, as `//` does
            bits = divisor.bit_length() - 1
            if isinstance(operator, ast.FloorDiv):
                return f"({self._value(left)} >> {bits})"
            return f"({self._value(left)} & {divisor - 1})"
        name = "floor_div" if isinstance(operator, ast.FloorDiv) else "floor_mod"
        return f"{name}({self._value(left)}, {self._value(right)})"

    def _comparison(self, node: ast.Compare) -> str:
        sides = [self._value(one) for one in (node.left, *node.comparators)]
        parts = [
            f"({left} {self._operator(operator)} {right})"
            for left, operator, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return parts[0] if len(parts) == 1 else f"({' && '.join(parts)})"

    def _call(self, name: str, given: list[ast.expr]) -> str:
        if name == "len":
            (table,) = given
            assert isinstance(table, ast.Name)
            return f"{table.id}_size" if table.id in self._kinds else _number(len(self._global(table)))
        if name == "int":
            return self._value(given[0])
        if name in ("min", "max"):
            first, *others = map(self._value, given)
            for other in others:
                first = f"{name}({first}, {other})"
            return first
        if name == "abs":
            return f"magnitude({self._value(given[0])})"
        if name == "prefetch":
            table, index = given
            assert isinstance(table, ast.Name)
            return f"__builtin_prefetch({table.id}_ + {self._value(index)})"
        if self._function.__globals__.get(name) is not KERNELS.get(name) or name not in KERNELS:
            raise TypeError(f"{self._function.__name__} calls {name}, which is no kernel")
        passed = []
        for one, kind in zip(given, arguments(KERNELS[name]).values(), strict=True):
            if kind in TABLES:
                assert isinstance(one, ast.Name)
                passed += [f"{one.id}_", f"{one.id}_size"]
            else:
                passed.append(self._value(one))
        return f"{name}({', '.join(passed)})"

    # Names.

    def _global(self, node: ast.expr) -> Any:
        if not isinstance(node, ast.Name):
            raise self._unknown(node)
        return self._function.__globals__[node.id]

    def _is_constant(self, node: ast.expr) -> bool:
        names = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        others = any(isinstance(one, ast.Call | ast.Subscript) for one in ast.walk(node))
        return not others and not names & (self._locals | self._kinds.keys())

    def _constant(self, node: ast.expr) -> int:
        code = compile(ast.Expression(node), self._function.__name__, "eval")
        value = eval(code, self._function.__globals__) if self._is_constant(node) else None
        if not isinstance(value, int) or not -(1 << 63) <= value < 1 << 63:
            raise self._unknown(node)
        return int(value)

    def _tuple(self, name: str) -> str:
        values = tuple(int(value) for value in self._function.__globals__[name])
        return self._tuples.setdefault(values, f"table_{len(self._tuples)}")

    def _operator(self, operator: Any) -> str:
        if type(operator) not in OPERATORS:
            raise TypeError(f"{self._function.__name__} uses an operator that C has not: {type(operator).__name__}")
        return OPERATORS[type(operator)]

    def _temporary(self) -> str:
        self._temporaries += 1
        return f"t{self._temporaries}"

    def _unknown(self, node: ast.AST) -> TypeError:
        return TypeError(f"{self._function.__name__}, line {node.lineno}: {ast.unparse(node)} is nothing that C has")  # type: ignore[attr-defined]


def _is_store(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)
