"""What names in a Python source stand for: aliases of PyTorch followed to full dotted names, and values known to be tensors."""

import ast
from collections.abc import Iterable, Iterator

TORCH = "torch"
TENSOR_TYPES = {"torch.Tensor", "torch.FloatTensor", "torch.nn.Parameter"}
NUMBERS = {
    "size",
    "dim",
    "item",
    "numel",
    "tolist",
    "numpy",
    "data_ptr",
    "is_contiguous",
    "stride",
}  # methods that give no tensor
MODULE_BASES = ("Module", "Model", "Block", "Layer", "Net")  # how classes end that derive from a module of another file


class Names:
    """The imports and aliases of one file.

    modules   local name -> full dotted name, of everything imported
    starred   full names of modules that were imported with *
    """

    def __init__(self, tree: ast.Module, known: Iterable[str]):
        self.modules: dict[str, str] = {}
        self.starred: list[str] = []
        self.known = set(known)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._import(node)
            elif isinstance(node, ast.ImportFrom):
                self._import_from(node)
        for node in tree.body:  # conv = nn.Conv2d, at the top only
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                full = self.full(node.value)
                if full and full.startswith(TORCH):
                    self.modules.setdefault(node.targets[0].id, full)

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self.modules[alias.asname] = alias.name
            else:
                root = alias.name.partition(".")[0]
                self.modules[root] = root

    def _import_from(self, node: ast.ImportFrom) -> None:
        base = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.starred.append(base)
            else:
                self.modules[alias.asname or alias.name] = f"{base}.{alias.name}"

    def full(self, node: ast.AST) -> str | None:
        """`torch.nn.functional.relu` of `F.relu`; None for what does not begin with an imported name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        root = self.modules.get(node.id) or self._from_star(node.id)
        return ".".join([root, *reversed(parts)]) if root else None

    def _from_star(self, name: str) -> str | None:
        found = (f"{module}.{name}" for module in self.starred)
        return next((full for full in found if full in self.known), None)

    def is_torch(self, node: ast.AST) -> bool:
        full = self.full(node)
        return full is not None and (full == TORCH or full.startswith(TORCH + "."))


class Tensors:
    """Which expressions are tensors, as far as the source alone tells: one scope of one function, in order.

    Arguments of `forward` are taken for tensors unless their annotation or default says otherwise, and so is what
    PyTorch's functions, methods of tensors and layers (self.conv(x)) return. All else is unknown.
    """

    def __init__(self, names: Names, results: Iterable[str], in_module: bool = False, outer: set[str] | None = None):
        self.names, self.results, self.in_module = names, set(results), in_module
        self.held: set[str] = set(outer or ())

    def arguments(self, node: ast.AST) -> None:
        """Learn from the arguments of a function."""
        spec = node.args
        every = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs]
        defaulted = {argument.arg for argument in spec.args[len(spec.args) - len(spec.defaults) :]}
        for argument in every:
            self.held.discard(argument.arg)
            if argument.annotation is not None:
                if self._annotated(argument.annotation):
                    self.held.add(argument.arg)
            elif getattr(node, "name", "") == "forward" and argument.arg not in ("self", "ctx", *defaulted):
                self.held.add(argument.arg)

    def _annotated(self, annotation: ast.AST) -> bool:
        wanted = (part for part in ast.walk(annotation) if isinstance(part, ast.Name | ast.Attribute))
        return any(self.names.full(part) in TENSOR_TYPES for part in wanted)

    def assign(self, target: ast.AST, value: ast.AST | None) -> None:
        """Learn from `target = value`."""
        known = value is not None and self.is_tensor(value)
        for part in parts_of(target):
            if isinstance(part, ast.Name):
                (self.held.add if known else self.held.discard)(part.id)

    def is_tensor(self, node: ast.AST) -> bool:
        """Whether an expression is known to be a tensor, or a tuple of them."""
        if isinstance(node, ast.Name):
            return node.id in self.held
        if isinstance(node, ast.BinOp):
            return self.is_tensor(node.left) or self.is_tensor(node.right)
        if isinstance(node, ast.UnaryOp | ast.Starred):
            return self.is_tensor(node.operand if isinstance(node, ast.UnaryOp) else node.value)
        if isinstance(node, ast.Subscript):
            return self.is_tensor(node.value)
        if isinstance(node, ast.IfExp):
            return self.is_tensor(node.body) and self.is_tensor(node.orelse)
        if isinstance(node, ast.Compare):
            return self.is_tensor(node.left)
        if isinstance(node, ast.Attribute):
            return node.attr in ("T", "mT", "data", "grad") and self.is_tensor(node.value)
        return isinstance(node, ast.Call) and self._call(node)

    def _call(self, node: ast.Call) -> bool:
        full = self.names.full(node.func)
        if full:
            return full in self.results
        if isinstance(node.func, ast.Attribute):
            if self._is_layer(node.func):
                return any(self.is_tensor(argument) for argument in node.args)
            return node.func.attr not in NUMBERS and self.is_tensor(node.func.value)
        return isinstance(node.func, ast.Call) and self.names.is_torch(node.func.func)  # nn.ReLU()(x)

    def _is_layer(self, func: ast.Attribute) -> bool:
        """self.conv(x), self.blocks[0](x) in a module."""
        return self.in_module and isinstance(func.value, ast.Name) and func.value.id == "self"


def parts_of(target: ast.AST) -> Iterator[ast.AST]:
    """The single targets of an assignment."""
    if isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from parts_of(item)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def is_module(node: ast.ClassDef, names: Names) -> bool:
    """Whether a class is a network: nn.Module or a class whose name ends like one among its bases."""
    for base in node.bases:
        full = names.full(base) or ast.unparse(base)
        if full.endswith(MODULE_BASES) or full.startswith("torch.nn."):
            return True
    return False
