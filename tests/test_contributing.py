"""The guides for contributors name commands, options and files that exist; the log's contents lead to its entries."""

import re
from pathlib import Path

import click
import papermill
import pytest
import yaml

from stilts_core.cli import main
from stilts_core.notebooks.lessons import LESSONS

ROOT = Path(__file__).parents[1]
NAMES = ("CONTRIBUTING.md", "CHANGELOG.md", "LOG.md", "book/teaching.md")
GUIDES = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}
CONTRIBUTING, LOG, TEACHING = GUIDES["CONTRIBUTING.md"], GUIDES["LOG.md"], GUIDES["book/teaching.md"]


def code_in(text: str) -> list[str]:
    """Everything that is set as code: the lines of blocks and the inline spans, without comments."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [re.sub(r"\s+", " ", span) for span in re.findall(r"`([^`]+)`", text)]
    return [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()] + spans


def stilts_calls(text: str) -> list[list[str]]:
    """The arguments of every call of `stilts` that names a subcommand."""
    calls = [re.search(r"(?:^|/)stilts (\w.*)", code) for code in code_in(text)]
    return [call[1].split() for call in calls if call]


@pytest.mark.parametrize("guide", GUIDES)
def test_every_stilts_command_and_option_exists(guide):
    for name, *arguments in stilts_calls(GUIDES[guide]):
        assert isinstance(main, click.Group) and name in main.commands, name
        options = {option for parameter in main.commands[name].params for option in parameter.opts}
        named = {argument for argument in arguments if argument.startswith("--")}
        assert named <= options, f"stilts {name}: {named - options}"


def test_contributing_names_commands_that_are_checked_above():
    assert {call[0] for call in stilts_calls(CONTRIBUTING)} >= {"tasks", "run", "study", "report"}


def test_every_lesson_that_the_teaching_page_executes_exists_with_its_parameters():
    calls = [code for code in code_in(TEACHING) if "papermill" in code and ".ipynb" in code]
    assert {re.search(r"notebooks/(\w+)\.ipynb", call)[1] for call in calls} == set(LESSONS) - {"three_phases"}
    for call in calls:
        parameters = papermill.inspect_notebook(str(ROOT / re.search(r"notebooks/\w+\.ipynb", call)[0]))
        assert set(re.findall(r"-p (\w+)", call)) <= set(parameters)


def test_every_session_of_the_teaching_page_lasts_ninety_minutes_and_has_all_parts():
    _, *sessions = re.split(r"^## Session \d", TEACHING, flags=re.MULTILINE)
    assert len(sessions) == 4
    for session in sessions:
        session = session.split("\n## ")[0]
        assert sum(map(int, re.findall(r"^\| (\d+) \|", session, re.MULTILINE))) == 90
        assert all(f"**{part}" in session for part in ("Goals.", "Preparation.", "Questions that students ask."))
        assert len(re.findall(r"^: ", session, re.MULTILINE)) >= 4


def test_the_teaching_page_links_every_lesson():
    assert set(re.findall(r"\(lessons/(\w+)\.ipynb\)", TEACHING)) == set(LESSONS)


def test_every_make_target_exists():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {match[1] for code in code_in(CONTRIBUTING) if (match := re.match(r"make (\w+)", code))}
    workflows = "".join(path.read_text() for path in (ROOT / ".github/workflows").iterdir())
    named |= set(re.findall(r"run: make (\w+)", workflows))
    assert {"setup", "test", "book"} <= named <= targets


def test_every_file_that_contributing_names_exists():
    pattern = r"(?:^|\s)((?:stilts_core|tests|book|notebooks)/[\w/.]*|[\w.]+\.(?:md|toml|yml|txt))(?=$|[\s:])"
    named = {match for code in code_in(CONTRIBUTING) for match in re.findall(pattern, code)}
    created = {"record.json", "book/results/small/", "book/questions/NAME.md"}  # what commands or contributors write
    assert len(named) > 30
    assert {path for path in named - created if not (ROOT / path).exists()} == set()


def test_map_has_one_line_for_every_room():
    rows = re.findall(r"^\| `stilts_core/(\w+)/` \| \S", CONTRIBUTING, re.MULTILINE)
    rooms = [path.parent.name for path in (ROOT / "stilts_core").glob("*/__init__.py")]
    assert sorted(rows) == sorted(rooms)


def slug(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_contents_of_the_log_link_to_every_entry_once():
    headings = re.findall(r"^## (\d{4}-\d\d-\d\d · .*)", LOG, re.MULTILINE)
    linked = re.findall(r"\]\(#([^)]+)\) \((\d{4}-\d\d-\d\d)\)", LOG)
    assert sorted(linked) == sorted((slug(heading), heading[:10]) for heading in headings)


def test_newest_entry_of_the_log_comes_first():
    dates = re.findall(r"^## (\d{4}-\d\d-\d\d) · ", LOG, re.MULTILINE)
    assert len(dates) > 10 and dates == sorted(dates, reverse=True)


def test_pre_commit_has_the_pinned_version_of_ruff():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (rev,) = [repo["rev"] for repo in hooks if "ruff" in repo["repo"]]
    assert f"ruff=={rev.removeprefix('v')}" in (ROOT / "constraints.txt").read_text().splitlines()


def outputs_pattern() -> str:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (entry,) = [hook["entry"] for repo in hooks for hook in repo["hooks"] if hook.get("language") == "pygrep"]
    return entry


def test_hook_finds_no_outputs_in_the_committed_notebooks():
    notebooks = list((ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks and not [path for path in notebooks if re.search(outputs_pattern(), path.read_text())]


@pytest.mark.parametrize("cell", ['"outputs": [\n    {\n     "name": "stdout"', '"execution_count": 3,'])
def test_hook_finds_outputs_in_an_executed_notebook(cell):
    assert re.search(outputs_pattern(), cell)


def test_tests_run_on_every_python_version_that_the_package_declares():
    matrix = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"][0] == "3.11" and 'requires-python = ">=3.11"' in (ROOT / "pyproject.toml").read_text()
