"""Golden samples: the generator's output may change only together with its version.

After a change that is meant, raise `stilts_core.sources.lab.version.VERSION` and run this file as a script.
"""

import hashlib
import json
from pathlib import Path

import pytest

from stilts_core.sources import lab
from stilts_core.sources.lab.languages import CODES
from stilts_core.sources.lab.version import VERSION

GOLDEN = Path(__file__).with_name("golden_samples.json")
TASKS = (*lab.MAKERS, "tatoeba", "bucc2018", "lareqa")
ITEMS = 12  # of each part
TEXTS = 30  # of each language


def digest(examples: list) -> str:
    """The start of a SHA-256 over the examples' values."""
    shown = [
        [sorted(value.items(), key=str) if isinstance(value, dict) else value for value in fields]
        for fields in ([getattr(example, name) for name in example.__slots__] for example in examples)
    ]
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def samples() -> dict[str, str]:
    """A digest for every part of every task in every language, and for the unlabelled text of every language."""
    found = {
        f"{task} {split} {language}": digest(lab.load(task, split, language, examples=ITEMS).items)
        for task in TASKS
        for split in (("test",) if task == "tatoeba" else ("dev", "test") if task == "bucc2018" else lab.SIZES)
        for language in CODES
        if language in lab.available_languages(task, split)
    }
    return found | {f"text {code}": digest(lab.unlabelled(code, examples=TEXTS).items) for code in CODES}


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads(GOLDEN.read_text())


def test_golden_samples_were_recorded_with_this_version(golden):
    assert golden["version"] == VERSION, f"VERSION was raised: run {Path(__file__).name} as a script"


def test_output_changes_only_with_the_version(golden):
    changed = [name for name, value in samples().items() if golden["samples"].get(name) != value]
    assert not changed, f"other output from version {VERSION}: raise it if that is meant; first of all {changed[0]}"


def test_every_task_and_language_is_sampled(golden):
    assert {name.split()[0] for name in golden["samples"]} == {*TASKS, "text"}
    assert {name.split()[-1] for name in golden["samples"]} == set(CODES)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({"version": VERSION, "samples": samples()}, indent=1) + "\n")
