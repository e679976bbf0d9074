"""The C that stands before the kernels, and what C calls what Python has."""

from __future__ import annotations

import ast

PRELUDE = """\
#include <stdint.h>
typedef int64_t word;
#ifdef _WIN32
#define ENTRY __declspec(dllexport)
#else
#define ENTRY __attribute__((visibility("default")))
#endif
#define INLINE static inline __attribute__((always_inline))
/* A loop over what a tuple holds is no loop: without this its words would be written to memory, and read there. */
#define UNROLLED _Pragma("GCC unroll 16")
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
# ... and what a machine does by itself.
WRAPPED = "INLINE word wrapped(word number_) { return number_; }\n"
LOADS = {"be16": ("BIG", 16), "be32": ("BIG", 32), "le32": ("LITTLE", 32), "wrapped": ("", 64)}
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


def load(name: str) -> str:
    """One of LOADS as a function of C."""
    if name == "wrapped":
        return WRAPPED
    order, bits = LOADS[name]
    return LOAD.format(name=name, order=order, bits=bits, size=bits // 8)


def number(value: int) -> str:
    """A number of 64 bits as a literal of C."""
    # The lowest number of 64 bits has no literal of its own in C.
    return f"INT64_C({value})" if value > -(1 << 63) else "INT64_MIN"
