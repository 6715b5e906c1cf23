"""House rules that a machine can hold: sizes, names, where the environment is read, what the lock files say."""

import ast
import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

from source import CODE, ROOT, documents, python_files, shown, tree_of

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
LOG_METHODS = ("debug", "info", "warning", "error", "critical", "exception")
EVENT = re.compile(r"[a-z]+(_[a-z]+)+")
IRREGULAR_PARTICIPLES = (
    "lost",
    "grown",
    "off",
    "left",
    "sent",
    "taken",
    "begun",
    "read",
    "held",
    "written",
    "kept",
    "found",
)
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
PIN = re.compile(r"[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==[^\s;]+( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_module_is_longer_than_the_ceiling() -> None:
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*CODE, "tests")}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES_MAX} == {}


def test_no_function_is_longer_than_the_ceiling() -> None:
    lengths = {
        f"{shown(path, node.lineno)} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in python_files(*CODE, "tests")
        for node in functions(tree_of(path))
    }
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        shown(path)
        for path in python_files(*CODE, "tests")
        if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree_of(path))
    ]
    assert silent == []


def reads_environment(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom) and node.module == "os":
        return any(alias.name in ("environ", "getenv") for alias in node.names)
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv", "environb")
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    )


def test_the_environment_is_read_only_where_a_program_begins() -> None:
    found = [
        shown(path, getattr(node, "lineno", None))
        for path in python_files("services", "shared", "cli/corral")
        if path.name != "__main__.py"
        for node in ast.walk(tree_of(path))
        if reads_environment(node)
    ]
    assert found == []


def log_calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(tree_of(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LOG_METHODS
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "log"
        ):
            yield node


def is_event_name(argument: ast.expr) -> bool:
    """A literal `noun_verb` whose verb is in the past tense."""
    if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
        return False
    last = argument.value.rsplit("_", 1)[-1]
    return bool(EVENT.fullmatch(argument.value)) and (last.endswith("ed") or last in IRREGULAR_PARTICIPLES)


def test_log_events_are_literal_and_tell_what_happened() -> None:
    calls = [(path, call) for path in python_files("services", "shared") for call in log_calls(path)]
    assert calls, "no log call found: this test looks in the wrong place"
    bad = [shown(path, call.lineno) for path, call in calls if not call.args or not is_event_name(call.args[0])]
    assert bad == []


def test_nothing_is_left_unfinished() -> None:
    files = [*python_files(*CODE, "tests"), *documents(), ROOT / "Makefile", ROOT / "pyproject.toml"]
    files += [path for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    found = [shown(path) for path in files if UNFINISHED.search(path.read_text(encoding="utf-8"))]
    assert found == []


def test_no_other_distribution_claims_our_top_level_names() -> None:
    owners = importlib.metadata.packages_distributions()
    claimed = {name: set(owners.get(name, ())) - {"corral-cluster"} for name in ("services", "shared")}
    assert claimed == {"services": set(), "shared": set()}


def test_lock_files_hold_pins_and_hashes_and_name_no_index() -> None:
    locks = sorted((ROOT / "locks").glob("*.lock"))
    assert locks
    odd = [
        f"{shown(path, number)} {line}"
        for path in locks
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if line.strip() and not line.startswith("#") and not PIN.fullmatch(line) and not HASH.fullmatch(line)
    ]
    assert odd == []


def test_no_file_tells_pip_or_uv_where_to_look() -> None:
    files = [ROOT / "pyproject.toml", ROOT / "cli/pyproject.toml", ROOT / "Makefile", *(ROOT / "locks").iterdir()]
    pattern = re.compile(r"index-url|find-links|--index\b|https?://")
    assert [shown(path) for path in files if pattern.search(path.read_text(encoding="utf-8"))] == []
