"""The structure of the package, as CONTRIBUTING.md promises it to readers."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "stilts_core"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__")
LONGEST_FUNCTION, LONGEST_MODULE, TOP_ENTRIES = 60, 400, 6


def test_imports_between_rooms_run_in_one_direction():
    lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(lint, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_room_is_in_the_order_of_imports():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert [room for room in ROOMS if f'"stilts_core.{room}"' not in text] == []


def test_readme_lists_the_rooms_in_the_order_of_imports():
    layers = re.findall(r'^    "stilts_core\.(\w+)",$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Rooms")[1]
    rows = [
        re.findall(r"`(\w+)(?:/|\.py)`", row.split("|")[1]) for row in section.splitlines() if row.startswith("| `")
    ]
    assert [name for row in rows for name in row] == layers


def test_few_modules_lie_beside_the_rooms():
    loose = [path.name for path in PACKAGE.iterdir() if path.is_file()]
    assert len(loose) <= TOP_ENTRIES, loose


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_and_functions_are_short_and_documented(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), f"{path} has no docstring"
    assert len(text.splitlines()) <= LONGEST_MODULE
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    long = {node.name: node.end_lineno - node.lineno + 1 for node in functions}
    assert {name: lines for name, lines in long.items() if lines > LONGEST_FUNCTION} == {}


def test_no_two_classes_share_a_name():
    """Two classes of one name in different rooms are two meanings of one word."""
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(str(path.relative_to(PACKAGE)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_json_is_written_without_nan(path):
    """NaN and Infinity are not JSON: other readers refuse the file, and what is NaN is usually a mistake."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.dump", "json.dumps", "dump", "dumps"):
            options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            assert options.get("allow_nan") == "False", f"line {node.lineno}: add allow_nan=False"


def test_tests_mirror_the_rooms():
    tested = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()}
    assert set(ROOMS) - tested == set()
