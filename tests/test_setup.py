"""Set-up: what the files at the root promise each other."""

import ast
import importlib.metadata
import importlib.resources
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DECLARED = list(dict.fromkeys([*PROJECT["dependencies"], *EXTRAS["test"], *EXTRAS["bench"]]))


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def test_conda_environment_installs_what_pyproject_declares():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (section,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert section == [*PROJECT["dependencies"], "-e ."]


@pytest.mark.parametrize("requirement", [*map(Requirement, DECLARED)], ids=str)
def test_every_dependency_is_pinned_inside_its_range(requirement):
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_every_imported_package_is_declared():
    imported = set()
    for path in (ROOT / "stilts_core").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add(node.module.split(".")[0])
    providers = importlib.metadata.packages_distributions()
    declared = {canonicalize_name(Requirement(line).name) for line in [*PROJECT["dependencies"], *EXTRAS["bench"]]}
    elsewhere = {"mteb"}  # bench/mteb_peer.py is run by a Python of its own
    missing = {
        name
        for name in imported - set(sys.stdlib_module_names) - {"stilts_core"} - elsewhere
        if not declared & {canonicalize_name(provider) for provider in providers.get(name, [])}
    }
    assert missing == set()


def test_facts_are_installed_with_the_package():
    files = importlib.resources.files("stilts_core") / "facts"
    assert {"languages.csv", "published_scores.csv"} <= {file.name for file in files.iterdir()}


def test_make_offers_the_promised_targets():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert {"setup", "book", "test", "bench", "clean"} <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def planned(folder: Path, *arguments: str) -> str:
    """The commands that `make` would run in a folder with this Makefile."""
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "constraints.txt", "tests/oracles.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    done = subprocess.run(["make", "-n", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def test_make_book_does_the_laboratory_s_grid_with_further_options(tmp_path):
    commands = planned(tmp_path, "book", "SWEEP=--seeds 0,1")
    assert "stilts sweep --profile lab --seeds 0,1 || " in commands and "stilts report --profile lab" in commands
    assert "stilts run" not in commands


def test_make_book_computes_no_real_data_s_runs_where_records_are_kept(tmp_path):
    commands = planned(tmp_path, "book", "PROFILE=small")
    assert "stilts run --profile small" in commands and "stilts sweep --profile lab" not in commands
    (tmp_path / "book/results/small").mkdir(parents=True)
    (tmp_path / "book/results/small/kept.json").touch()
    commands = planned(tmp_path, "book", "PROFILE=small")
    assert "stilts run" not in commands and "stilts report --profile small" in commands


def test_citation_is_valid_against_the_schema_of_its_format():
    shipped = [file for file in importlib.metadata.files("cffconvert") or [] if file.match("1.2.0/schema.json")]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    jsonschema.Draft7Validator(json.loads(shipped[0].read_text())).validate(citation)
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


def test_licence_is_the_whole_of_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
    assert all(f"\n   {section}. " in text for section in range(1, 10))


def test_readme_names_the_two_commands_and_a_picture_that_exists():
    readme = (ROOT / "README.md").read_text()
    assert "make setup" in readme and "make book" in readme
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", readme)
    assert pictures and all((ROOT / picture).is_file() for picture in pictures)
