"""Finds in a source text every construct whose bits may differ between machines, builds or runs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

# Exact (rounded once, or not at all) by IEEE 754 or by definition, and products in order; the rest a library chooses.
MATH = {"ceil", "copysign", "fabs", "floor", "inf", "isfinite", "isinf", "isnan", "nan", "prod", "sqrt", "trunc"}

# Making, naming, copying and searching arrays, comparisons, and the elementwise functions that are exact.
# What reduces (sum, dot, mean) is absent: its order of additions depends on the vector unit.
NUMPY = {
    *("abs", "isfinite", "isnan", "isinf", "maximum", "minimum", "sqrt", "where", "inf", "nan"),
    *("arange", "array", "array_equal", "asarray", "ascontiguousarray", "concatenate", "copy", "copyto", "empty"),
    *("empty_like", "frombuffer", "full", "full_like", "ones", "repeat", "zeros", "zeros_like"),
    *("all", "any", "count_nonzero", "flatnonzero", "nonzero", "searchsorted"),
    *("bool", "bool_", "float64", "generic", "iinfo", "int8", "int16", "int32", "int64", "uint8", "uint64", "intp"),
    *("dtype", "ndarray", "void", "typing"),
}

REDUCTIONS = {"sum", "dot", "mean", "prod", "cumsum", "cumprod", "std", "var", "trace", "ptp", "matmul"}
BUILTINS = {
    "pow": "a power is a running product",
    "round": "numba rounds to digits by a power",
    "hash": "the hash of a string changes with PYTHONHASHSEED",
    "id": "an address changes from run to run",
}
SET_MAKERS = {"set", "frozenset"}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference"}
READS_IN_ORDER = {
    "list",
    "tuple",
    "iter",
    "enumerate",
    "zip",
    "map",
    "filter",
    "sum",
    "next",
    "reversed",
    "join",
    "array",
}
LOOSE = {"fastmath", "parallel"}
IMPORTS_THAT_COMPUTE = {"cmath", "statistics", "scipy", "decimal", "fractions", "numexpr"}


class Portable(ast.NodeVisitor):
    """Collects (line, finding) of every construct whose bits may differ between machines, builds or runs."""

    def __init__(self, tree: ast.Module) -> None:
        self.found: list[tuple[int, str]] = []
        self.aliases: dict[str, str] = {}
        self.sets = set(names_of_sets(tree))
        self.visit(tree)

    def say(self, node: ast.expr | ast.stmt | ast.keyword, finding: str) -> None:
        self.found.append((node.lineno, finding))

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            self.aliases[name.asname or name.name.partition(".")[0]] = (
                name.name if name.asname else name.name.partition(".")[0]
            )
            self.check_import(node, name.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.check_import(node, node.module or "")
        for name in node.names:
            self.aliases[name.asname or name.name] = f"{node.module}.{name.name}"
            self.check_dotted(node, f"{node.module}.{name.name}")

    def check_import(self, node: ast.stmt, name: str) -> None:
        if name.partition(".")[0] in IMPORTS_THAT_COMPUTE:
            self.say(node, f"{name} computes in its own way")

    def check_dotted(self, node: ast.expr | ast.stmt, dotted: str) -> None:
        head, _, rest = dotted.partition(".")
        allowed = {"math": MATH, "numpy": NUMPY}.get(head)
        if allowed is not None and rest and rest.partition(".")[0] not in allowed:
            self.say(node, f"{dotted} is not on the list of exact functions")
        if head == "numba" and rest.partition(".")[0] in {"prange", "vectorize", "guvectorize"}:
            self.say(node, f"{dotted} leaves the order of the loop to the compiler")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        parts: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if isinstance(inner, ast.Name) and inner.id in self.aliases:
            self.check_dotted(node, ".".join([self.aliases[inner.id], *reversed(parts)]))
            return
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.check_operator(node, node.op, exact=is_whole(node.left) and is_whole(node.right))
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.check_operator(node, node.op, exact=False)
        self.generic_visit(node)

    def check_operator(self, node: ast.expr | ast.stmt, operator: ast.operator, *, exact: bool) -> None:
        if isinstance(operator, ast.Pow) and not exact:
            self.say(node, "** differs between numba and CPython; a power is a running product")
        if isinstance(operator, ast.MatMult):
            self.say(node, "@ adds in an order of the library's choice")

    def visit_Call(self, node: ast.Call) -> None:
        name = called(node)
        if isinstance(node.func, ast.Name):
            if name in BUILTINS and name not in self.aliases:
                self.say(node, f"{name}(): {BUILTINS[name]}")
            if name == "sum" and not all(counts(argument) for argument in node.args):
                self.say(node, "sum() adds floats differently since Python 3.12; write the loop")
        elif name in REDUCTIONS and not self.is_math(node.func):
            self.say(node, f".{name}() adds in an order of the library's choice; write the loop")
        if name in READS_IN_ORDER:
            for argument in node.args:
                self.check_order(argument)
        self.generic_visit(node)

    def is_math(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and self.aliases.get(node.value.id) == "math"
        )

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg in LOOSE and not (isinstance(node.value, ast.Constant) and node.value.value is False):
            self.say(node, f"{node.arg} lets the compiler reorder arithmetic")
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self.check_order(node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.check_order(node.iter)
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        self.check_order(node.value)
        self.generic_visit(node)

    def check_order(self, node: ast.expr) -> None:
        if is_set(node, self.sets):
            self.say(node, "the order of a set is chance; sort it")


def called(node: ast.Call) -> str:
    """The last part of the name that is called."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def is_whole(node: ast.expr) -> bool:
    """Whether it is a whole number written out: such a power is exact."""
    return isinstance(node, ast.Constant) and type(node.value) is int


def counts(node: ast.expr) -> bool:
    """Whether a sum over this adds whole numbers: ones, lengths, comparisons."""
    if not isinstance(node, (ast.GeneratorExp, ast.ListComp)):
        return False
    element = node.elt
    return (
        is_whole(element)
        or isinstance(element, ast.Compare)
        or (isinstance(element, ast.Call) and called(element) == "len")
    )


def is_set(node: ast.expr, names: set[str]) -> bool:
    """Whether an expression is a set, as far as the text shows."""
    if isinstance(node, (ast.Set, ast.SetComp)):
        return True
    if isinstance(node, ast.Call):
        if called(node) == "keys":
            return False
        return called(node) in (SET_MAKERS if isinstance(node.func, ast.Name) else SET_METHODS)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitAnd, ast.BitOr, ast.BitXor, ast.Sub)):
        keys = [side for side in (node.left, node.right) if isinstance(side, ast.Call) and called(side) == "keys"]
        return bool(keys) or is_set(node.left, names) or is_set(node.right, names)
    if isinstance(node, ast.Attribute):
        return node.attr in names
    return isinstance(node, ast.Name) and node.id in names


def names_of_sets(tree: ast.Module) -> Iterator[str]:
    """Names and attributes that are annotated as sets or assigned one, anywhere in the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and is_set_type(node.annotation):
            yield from bound(node.target)
        elif isinstance(node, ast.arg) and node.annotation is not None and is_set_type(node.annotation):
            yield node.arg
        elif isinstance(node, ast.Assign) and is_set(node.value, set()):
            for target in node.targets:
                yield from bound(target)


def bound(target: ast.expr) -> Iterator[str]:
    """The name that an assignment binds."""
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Attribute):
        yield target.attr


def is_set_type(annotation: ast.expr) -> bool:
    """Whether an annotation names a set."""
    outer = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return isinstance(outer, ast.Name) and outer.id in {"set", "frozenset", "Set", "AbstractSet", "MutableSet"}


def findings(source: str) -> list[tuple[int, str]]:
    """What is not portable in a source text."""
    return Portable(ast.parse(source)).found
