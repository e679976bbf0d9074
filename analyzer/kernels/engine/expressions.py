"""Expressions of kernels as those of C: names, numbers, truths, calls."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from analyzer.kernels.engine.prelude import OPERATORS, TABLES, number
from analyzer.kernels.engine.registry import KERNELS, arguments


class Expressions:
    """The expressions of one kernel."""

    def __init__(self, function: Callable[..., Any], tuples: dict[tuple[int, ...], str]) -> None:
        """`tuples` are the constants of all kernels that are tuples, and the names they have in C."""
        self._function, self._tuples = function, tuples
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
        assert isinstance(tree, ast.FunctionDef)
        self._tree = tree
        self._kinds = arguments(function)
        self._locals = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and _is_store(node)}
        self._truths = self._find_truths()
        self._temporaries = 0

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
            return number(self._constant(node))
        match node:
            case ast.Constant():
                return number(self._constant(node))
            case ast.Name(id=name):
                if name in self._locals or name in self._kinds:
                    return f"{name}_"
                return number(self._constant(node))
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
            return f"{table.id}_size" if table.id in self._kinds else number(len(self._global(table)))
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
