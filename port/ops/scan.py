"""The PyTorch operators that a source uses, read from its syntax alone: nothing of it is executed."""

import ast
import tokenize
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from port.errors import PortError, UsageError
from port.ops.names import TORCH, Names, Tensors, is_module, parts_of

IN_PLACE = {ast.Add: "iadd", ast.Sub: "isub", ast.Mult: "imul", ast.Div: "itruediv"}
OPERATORS = {
    ast.MatMult: "torch.matmul",
    ast.FloorDiv: "torch.floor_divide",
    ast.Mod: "torch.remainder",
    ast.Pow: "torch.pow",
}
METHOD = f"{TORCH}.Tensor."
OFTEN_OTHERS = {  # methods that strings, lists, dictionaries and files have as well: without a known tensor they say nothing
    "split", "index", "copy", "count", "sort", "format", "join", "replace", "get", "items", "keys", "values", "pop", "append",
    "update", "clear", "insert", "remove", "extend", "strip", "add", "close", "read", "write", "title", "set", "apply", "type",
    "eval", "train", "register_hook", "cuda", "to", "cpu", "half", "float", "double", "requires_grad_", "storage", "data_ptr",
}  # fmt: skip


@dataclass(frozen=True)
class Use:
    """One place where an operator is used.

    name      the full name, torch.nn.functional.relu or torch.Tensor.view
    certain   False for a method or an in-place change of a value that may be no tensor
    keywords  name -> the constant given, or ... for anything else; `arguments`: how many stand before them
    called    whether it is called here (a layer's class may be passed on)
    """

    line: int
    name: str
    text: str
    certain: bool = True
    keywords: Mapping[str, object] = field(default_factory=dict)
    arguments: int = 0
    called: bool = True


def read(path: Path) -> str:
    """The source of a file. Raises UsageError for a file of another kind, PortError for one that cannot be read."""
    if path.suffix != ".py":
        raise UsageError(f"{path} is no Python source; expected a file that ends in .py, or a folder.")
    try:
        with tokenize.open(path) as source:  # minds the encoding that a file declares
            return source.read()
    except OSError as error:
        raise PortError(f"cannot read {path}: {error.strerror or error}.") from error
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise PortError(f"cannot read {path}: it is not in the encoding that it declares ({error}).") from error


def scan(source: str, known: set[str], methods: set[str], where: str = "the source") -> list[Use]:
    """Every use in order of lines.

    known    full names of the table
    methods  names of PyTorch's methods of tensors
    Raises PortError where the source is no Python.
    """
    try:
        tree = ast.parse(source)
        walker = Walker(Names(tree, known), known, methods)
        walker.visit(tree)
    except SyntaxError as error:
        raise PortError(f"{where}, line {error.lineno}: {error.msg}. It must be valid Python 3.11.") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise PortError(f"cannot parse {where}: {error}.") from error
    return sorted(walker.uses, key=lambda use: (use.line, use.name))


class Walker(ast.NodeVisitor):
    """Walks the tree in the order of the source and learns on the way which names are tensors."""

    def __init__(self, names: Names, known: set[str], methods: set[str]):
        self.names, self.known, self.methods = names, known, methods
        self.uses: list[Use] = []
        self.in_module = False
        self.tensors = self._scope()

    def _scope(self, outer: set[str] | None = None) -> Tensors:
        functions = {
            name for name in self.known if not name.startswith("torch.nn.") or name.startswith("torch.nn.functional.")
        }
        return Tensors(self.names, functions, self.in_module, outer)

    def add(self, node: ast.AST, name: str, certain: bool = True, call: ast.Call | None = None) -> None:
        keywords = {key.arg: constant(key.value) for key in call.keywords if key.arg} if call else {}
        count = len(call.args) if call else 0
        self.uses.append(Use(node.lineno, name, ast.unparse(node)[:80], certain, keywords, count, call is not None))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        before, self.in_module = self.in_module, is_module(node, self.names)
        self.generic_visit(node)
        self.in_module = before

    def visit_FunctionDef(self, node: ast.AST) -> None:
        for part in (*getattr(node, "decorator_list", ()), *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(part)
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            if argument.annotation is not None:
                self.visit(argument.annotation)
        before, self.tensors = self.tensors, self._scope(self.tensors.held)
        self.tensors.arguments(node)
        for part in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(part)
        self.tensors = before

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def visit_Call(self, node: ast.Call) -> None:
        if self._is_operator(node.func):
            self.add(node.func, self.names.full(node.func), call=node)
        elif isinstance(node.func, ast.Attribute):
            self._method(node)
            self.visit(node.func.value)
        else:
            self.visit(node.func)
        for part in (*node.args, *(key.value for key in node.keywords)):
            self.visit(part)

    def _is_operator(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute | ast.Name) and self.names.is_torch(node)

    def _method(self, node: ast.Call) -> None:
        """x.view(2, -1): certain where x is known to be a tensor, said to be uncertain where it may be one."""
        name, base = node.func.attr, node.func.value
        if self.tensors.is_tensor(base):
            self.add(node.func, METHOD + name, call=node)
        elif name in self.methods - OFTEN_OTHERS and self._may_be_tensor(base):
            self.add(node.func, METHOD + name, certain=False, call=node)

    def _may_be_tensor(self, node: ast.AST) -> bool:
        """Not what is imported from elsewhere (np.sum), literal, or the object itself (self.sum())."""
        root = node
        while isinstance(root, ast.Attribute | ast.Subscript):
            root = root.value
        if isinstance(root, ast.Name):
            return root.id not in self.names.modules and not (node is root and root.id in ("self", "cls"))
        return isinstance(root, ast.Call) and not is_super(root) and not self._is_foreign(root)

    def _is_foreign(self, node: ast.Call) -> bool:
        full = self.names.full(node.func)
        return full is not None and not full.startswith(TORCH)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if self.names.is_torch(node):
            self.add(node, self.names.full(node))
        elif node.attr in ("data", "grad", "requires_grad") and self.tensors.is_tensor(node.value):
            self.add(node, METHOD + node.attr)
            self.visit(node.value)
        else:
            self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and self.names.is_torch(node) and self.names.full(node) != TORCH:
            self.add(node, self.names.full(node))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Load) and self.tensors.is_tensor(node.value):
            self.add(node, METHOD + "__getitem__")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in OPERATORS and self.tensors.is_tensor(node):
            self.add(node, OPERATORS[type(node.op)])
        elif isinstance(node.op, ast.MatMult):
            self.add(node, OPERATORS[ast.MatMult], certain=False)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._written(target)
            self.tensors.assign(target, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        for part in filter(None, (node.annotation, node.value)):
            self.visit(part)
        self._written(node.target)
        self.tensors.assign(node.target, node.value)

    def _written(self, target: ast.AST) -> None:
        for part in parts_of(target):
            if isinstance(part, ast.Subscript) and not is_string(part.slice):
                self.add(part, METHOD + "__setitem__", certain=self.tensors.is_tensor(part.value)) if self._writes(
                    part
                ) else None
                self.visit(part.slice)
            elif isinstance(part, ast.Attribute) and part.attr == "data" and self._may_be_tensor(part.value):
                self.add(part, METHOD + "data", certain=self.tensors.is_tensor(part.value))

    def _writes(self, part: ast.Subscript) -> bool:
        """Whether this can be a write into a tensor: known, or an index that only arrays take."""
        return self.tensors.is_tensor(part.value) or isinstance(part.slice, ast.Slice | ast.Tuple | ast.Compare)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        target, known = node.target, self.tensors.is_tensor(node.target)
        if isinstance(target, ast.Subscript):
            self._written(target)
        elif known or self.tensors.is_tensor(node.value):
            method = IN_PLACE.get(type(node.op), f"i{type(node.op).__name__.lower()}")
            self.uses.append(Use(node.lineno, f"{METHOD}__{method}__", ast.unparse(node)[:80], known))

    def visit_For(self, node: ast.For) -> None:
        self.visit(node.iter)
        self.tensors.assign(node.target, node.iter)
        for part in (*node.body, *node.orelse):
            self.visit(part)

    def visit_Import(self, node: ast.AST) -> None:
        """Said by what is used of it."""

    visit_ImportFrom = visit_Import


def constant(node: ast.AST) -> object:
    return node.value if isinstance(node, ast.Constant) else ...


def is_string(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_super(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "super"
