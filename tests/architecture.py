"""The rules of docs/ARCHITECTURE.md as functions over source text: (path, source) -> complaints.

They take text, so that test_architecture.py can run them over the project and over planted violations alike.
"""

import ast
import sys
from collections.abc import Iterator
from typing import NamedTuple

# What a folder, or a module at the top, may import of the package. The longest matching entry counts.
MAY_IMPORT = {
    "cart/__init__.py": (),
    "cart/checks.py": ("cart.core", "cart.wire", "cart.clock", "cart.config", "cart.edge", "cart.faults",
                       "cart.findings", "cart.scale_checks", "cart.vision"),
    "cart/scale_checks.py": ("cart.core", "cart.wire", "cart.clock", "cart.config", "cart.edge", "cart.faults",
                             "cart.findings"),
    "cart/findings.py": ("cart.faults",),
    "cart/arguments.py": (),
    "cart/clock.py": (),
    "cart/config.py": ("cart.config_text", "cart.faults"),
    "cart/config_text.py": (),
    "cart/fault_text.py": (),
    "cart/faults_classifier.py": ("cart.fault_text",),
    "cart/faults.py": ("cart.fault_text", "cart.faults_classifier"),
    "cart/logs.py": (),
    "cart/output.py": (),
    "cart/ports.py": ("cart.core",),
    "cart/core/": ("cart.core",),
    "cart/wire/": ("cart.core", "cart.wire"),
    "cart/edge/": ("cart.core", "cart.wire", "cart.ports", "cart.faults", "cart.edge"),
    "cart/vision/": ("cart.core", "cart.wire", "cart.ports", "cart.faults", "cart.clock", "cart.config", "cart.vision"),
    # Barcode engines are libraries, not devices: whoever reads a photo takes those that are installed.
    "cart/vision/reader.py": ("cart.core", "cart.wire", "cart.ports", "cart.faults", "cart.vision",
                              "cart.edge.engines"),
    # The vision process and app.py are the two places that choose devices.
    "cart/vision/process.py": ("cart.core", "cart.wire", "cart.ports", "cart.faults", "cart.clock", "cart.config",
                               "cart.logs", "cart.vision", "cart.edge", "cart.sim"),
    # The bench of seeing measures readers, classifier and passes beside what they are compared with.
    "cart/vision/bench/": ("cart.core", "cart.wire", "cart.ports", "cart.faults", "cart.clock", "cart.config",
                           "cart.vision", "cart.edge", "cart.sim"),
    "cart/sim/": ("cart.core", "cart.wire", "cart.ports", "cart.faults", "cart.clock", "cart.config", "cart.sim",
                  "cart.edge.catalog_file"),
    "cart/loop.py": ("cart.core", "cart.wire", "cart.ports", "cart.faults", "cart.clock"),
    "cart/replay.py": ("cart.core", "cart.wire", "cart.faults"),
    "cart/app.py": ("cart.core", "cart.wire", "cart.ports", "cart.faults", "cart.clock", "cart.config", "cart.logs",
                    "cart.daemon", "cart.loop", "cart.edge", "cart.sim"),
    "cart/daemon.py": ("cart.core", "cart.faults", "cart.loop"),
    "cart/backoffice/": ("cart.core", "cart.wire", "cart.faults", "cart.clock", "cart.logs", "cart.output",
                         "cart.backoffice"),
    "cart/__main__.py": ("cart.faults", "cart.logs", "cart.output", "cart.commands"),
    "cart/commands/": ("cart",),
}  # fmt: skip

# What nobody else may import: prefix -> who may.
ONLY_FOR = {
    "cart.vision": (
        "cart/vision/",
        "cart/commands/camera.py",
        "cart/commands/catalog_enroll.py",
        "cart/commands/camera_test.py",
        "cart/commands/vision.py",
        "cart/checks.py",
        "cart/commands/bench_vision.py",
    ),
    "cart.backoffice": ("cart/backoffice/",),
    "cart.commands": ("cart/commands/", "cart/__main__.py"),
}

PURE_STDLIB = frozenset(
    "__future__ dataclasses enum math typing itertools functools bisect collections collections.abc".split()
)
MAY_USE_STDLIB = {
    "cart/core/": PURE_STDLIB,
    "cart/wire/": PURE_STDLIB | {"base64", "binascii", "csv", "hashlib", "html", "json", "re", "struct"},
}

# One vendor package, one owner module per program; a trailing / is a folder.
OWNERS = {
    "serial": ("cart/edge/scale.py",),
    "RPi": ("cart/edge/gpio.py",),
    "picamera2": ("cart/edge/camera.py",),
    "libcamera": ("cart/edge/camera.py",),
    "pyzbar": ("cart/edge/zbar.py",),
    "zxingcpp": ("cart/edge/zxing.py",),
    "tflite_runtime": ("cart/edge/classifier.py",),
    "ai_edge_litert": ("cart/edge/classifier.py",),
    "paho": ("cart/edge/broker.py", "cart/backoffice/broker.py"),
    "sqlite3": ("cart/edge/database.py", "cart/backoffice/ledger.py"),
    "psycopg": ("cart/backoffice/ledger.py",),
    "cryptography": ("cart/edge/keys.py", "cart/backoffice/keys.py"),
    "starlette": ("cart/edge/kiosk.py", "cart/backoffice/web.py", "cart/sim/page.py"),
    "uvicorn": ("cart/edge/kiosk.py", "cart/backoffice/web.py", "cart/sim/page.py"),
    "biip": ("cart/wire/gs1.py",),
    "msgspec": ("cart/config.py", "cart/wire/"),
    # Arrays are the language of everything that touches pixels or makes a world; the daemon itself needs none.
    "numpy": ("cart/vision/", "cart/sim/", "cart/edge/", "cart/ports.py", "cart/checks.py", "cart/commands/"),
    "cv2": ("cart/vision/", "cart/sim/", "cart/edge/camera.py", "cart/edge/player.py",
            "cart/commands/camera.py", "cart/commands/camera_test.py"),
    "rich": ("cart/commands/progress.py",),
}  # fmt: skip

OS_CLOCKS = frozenset(
    "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns thread_time"
    " thread_time_ns clock_gettime clock_gettime_ns localtime gmtime ctime strftime".split()
)
MUTATORS = frozenset("append add update pop popitem clear setdefault extend insert remove discard sort".split())
MODULE_LINES_MAX = 600
FUNCTION_LINES_MAX = 100


class Import(NamedTuple):
    """One imported module: `from a.b import c` counts as a.b.c.

    typing  under `if TYPE_CHECKING`: it names a type and is never imported when the program runs
    """

    line: int
    module: str
    typing: bool = False


def imports(path: str, source: str) -> Iterator[Import]:
    """Yield every import in the file, also those inside functions and under TYPE_CHECKING."""
    package = path.removesuffix(".py").removesuffix("/__init__").split("/")
    tree = ast.parse(source)
    typing = {id(inner) for node in ast.walk(tree) if _is_type_checking(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, name.name, id(node) in typing) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            depth = len(package) - node.level + path.endswith("/__init__.py")
            above = package[:depth] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            inside = module.split(".")[0] == "cart"
            names = [f"{module}.{name.name}" if inside else module for name in node.names]
            yield from (Import(node.lineno, name, id(node) in typing) for name in names)


def folder_rules(path: str, source: str) -> list[str]:
    """Complain about imports inside the package that the table does not allow."""
    allowed = _longest(MAY_IMPORT, path)
    if allowed is None:
        return [f"{path}: has no row in MAY_IMPORT"]
    pure = path.startswith(("cart/core/", "cart/wire/"))
    complaints = []
    for line, module, typing in imports(path, source):
        if module.split(".")[0] != "cart" or module == "cart.__version__" or (typing and not pure):
            continue
        if not any(_within(module, prefix) for prefix in allowed):
            complaints.append(f"{path}:{line}: may not import {module}")
        for prefix, users in ONLY_FOR.items():
            if _within(module, prefix) and not _owned(path, users):
                complaints.append(f"{path}:{line}: {prefix} is imported by {', '.join(users)} only")
    return complaints


def owner_rules(path: str, source: str) -> list[str]:
    """Complain about a vendor package outside its owner, and about one that has no owner."""
    complaints = []
    for line, module, _ in imports(path, source):
        top = module.split(".")[0]
        if top in OWNERS:
            if not _owned(path, OWNERS[top]):
                complaints.append(f"{path}:{line}: {top} belongs to {', '.join(OWNERS[top])}")
        elif top != "cart" and top not in sys.stdlib_module_names:
            complaints.append(f"{path}:{line}: {top} has no owner in OWNERS")
    return complaints


def stdlib_rules(path: str, source: str) -> list[str]:
    """Complain about standard modules that the pure folders may not use."""
    allowed = _longest(MAY_USE_STDLIB, path)
    if allowed is None:
        return []
    return [
        f"{path}:{line}: a pure folder may not import {module}"
        for line, module, _ in imports(path, source)
        if module.split(".")[0] in sys.stdlib_module_names and module not in allowed
    ]


def clock_rules(path: str, source: str) -> list[str]:
    """Complain about reading the time of the operating system outside cart/clock.py."""
    if path == "cart/clock.py":
        return []
    complaints = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            complaints += [
                f"{path}:{node.lineno}: reads the clock: {n.name}" for n in node.names if n.name in OS_CLOCKS
            ]
        elif isinstance(node, ast.Attribute):
            name = ast.unparse(node)
            of_time = name.startswith("time.") and node.attr in OS_CLOCKS
            of_date = node.attr in {"now", "utcnow", "today"} and "date" in name
            if of_time or of_date:
                complaints.append(f"{path}:{node.lineno}: reads the clock: {name}")
    return complaints


def float_rules(path: str, source: str) -> list[str]:
    """Complain about floats in the core; weight.py may use + - * / and math.sqrt."""
    if not path.startswith("cart/core/"):
        return []
    may = path == "cart/core/weight.py"
    whole = {"isqrt", "gcd", "lcm", "comb", "prod"}
    complaints = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "math":
            if node.attr not in whole and not (may and node.attr == "sqrt"):
                complaints.append(f"{path}:{node.lineno}: math.{node.attr}")
        elif not may and _is_float(node):
            complaints.append(f"{path}:{node.lineno}: a float in the core: {ast.unparse(node)}")
    return complaints


def purity_rules(path: str, source: str) -> list[str]:
    """Complain about input, output and state in the pure folders."""
    if not path.startswith(("cart/core/", "cart/wire/")):
        return []
    tree = ast.parse(source)
    complaints = [f"{path}:{node.lineno}: module state: {ast.unparse(node)[:60]}" for node in _mutable_state(tree)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            complaints.append(f"{path}:{node.lineno}: global {', '.join(node.names)}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in {"open", "print", "input", "eval", "exec", "hash", "id"}:
                complaints.append(f"{path}:{node.lineno}: {node.func.id}() is not pure")
        elif (constant := _mutated_constant(node)) is not None:
            complaints.append(f"{path}:{constant.lineno}: changes the constant {constant.id}")
    return complaints


def size_rules(path: str, source: str) -> list[str]:
    """Complain about what is far outside the style; the style itself is median 100 to 180, at most 400 lines."""
    complaints = []
    lines = source.count("\n")
    if lines > MODULE_LINES_MAX:
        complaints.append(f"{path}: {lines} lines")
    for name, length in function_lengths(source):
        if length > FUNCTION_LINES_MAX:
            complaints.append(f"{path}: {name} has {length} lines")
    return complaints


def function_lengths(source: str) -> Iterator[tuple[str, int]]:
    """Yield (name, lines) of every function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def sleep_rules(path: str, source: str) -> list[str]:
    """Complain about a test that sleeps."""
    return [
        f"{path}:{node.lineno}: sleeps"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "sleep"
    ]


def command_rules(path: str, source: str) -> list[str]:
    """Complain about a verb without docstring, add_arguments or run."""
    if not path.startswith("cart/commands/") or path.endswith("__init__.py"):
        return []
    tree = ast.parse(source)
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    complaints = [f"{path}: has no {name}()" for name in ("add_arguments", "run") if name not in functions]
    return complaints + ([] if ast.get_docstring(tree) else [f"{path}: has no docstring"])


PACKAGE_RULES = (
    folder_rules,
    owner_rules,
    stdlib_rules,
    clock_rules,
    float_rules,
    purity_rules,
    size_rules,
    command_rules,
)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).split(".")[-1] == "TYPE_CHECKING"


def _is_float(node: ast.AST) -> bool:
    literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
    division = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
    return literal or division or (isinstance(node, ast.Name) and node.id == "float")


def _mutable_state(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield module-level names that hold something mutable and are not written as constants."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id.startswith("__") for t in targets):
                continue
            names = [t.id.lstrip("_") for t in targets if isinstance(t, ast.Name)]
            makes = isinstance(node.value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
            calls = isinstance(node.value, ast.Call) and ast.unparse(node.value.func).split(".")[-1] in {
                "list", "dict", "set", "deque", "defaultdict", "Counter", "bytearray", "count", "cycle",
            }  # fmt: skip
            if calls or (makes and not all(n.isupper() or n[:1].isupper() for n in names)):
                yield node


def _mutated_constant(node: ast.AST) -> ast.Name | None:
    """Return the upper-case name that a statement changes in place, if it does."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        changed = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        changed = node.func.value
    else:
        return None
    return changed if isinstance(changed, ast.Name) and changed.id.lstrip("_").isupper() else None


def _within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")


def _owned(path: str, owners: tuple[str, ...]) -> bool:
    return any(path == owner or (owner.endswith("/") and path.startswith(owner)) for owner in owners)


def _longest(table: dict, path: str):
    rows = [row for row in table if path == row or (row.endswith("/") and path.startswith(row))]
    return table[max(rows, key=len)] if rows else None
