"""Golden samples: the generator's output may change only together with its version.

After an intended change, raise `stilts_core.laboratory.version.VERSION` and run this file as a script.
"""

import hashlib
import json
from pathlib import Path

import pytest

from stilts_core.laboratory import generator
from stilts_core.laboratory.language.design import CODES
from stilts_core.laboratory.version import VERSION

GOLDEN = Path(__file__).with_name("golden_samples.json")
ITEMS = 12  # per part
TEXTS = 30  # per language


def digest(examples: list) -> str:
    """Return the first 16 hexadecimal digits of a SHA-256 over the values of the examples."""
    values = [
        [sorted(value.items(), key=str) if isinstance(value, dict) else value for value in fields]
        for fields in ([getattr(example, name) for name in example.__slots__] for example in examples)
    ]
    return hashlib.sha256(repr(values).encode()).hexdigest()[:16]


def samples() -> dict[str, str]:
    """Return a digest for every part of every task in every language, and for every unlabelled text."""
    digests = {
        f"{task} {split} {language}": digest(generator.load(task, split, language, examples=ITEMS).items)
        for task in generator.TASK_NAMES
        for split in (("test",) if task == "tatoeba" else ("dev", "test") if task == "bucc2018" else generator.SIZES)
        for language in CODES
        if language in generator.available_languages(task, split)
    }
    return digests | {f"text {code}": digest(generator.unlabelled(code, examples=TEXTS).items) for code in CODES}


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads(GOLDEN.read_text())


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """Generate everything anew: examples cached by older code would hide a changed output."""
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))


def test_golden_samples_were_recorded_with_this_version(golden):
    assert golden["version"] == VERSION, "VERSION was raised; run this file as a script to record new samples"


def test_output_changes_only_with_the_version(golden):
    changed = [name for name, value in samples().items() if golden["samples"].get(name) != value]
    assert not changed, f"the output of {changed[0]!r} changed, but VERSION is still {VERSION}; raise it if intended"


def test_every_task_and_language_is_sampled(golden):
    assert {name.split()[0] for name in golden["samples"]} == {*generator.TASK_NAMES, "text"}
    assert {name.split()[-1] for name in golden["samples"]} == set(CODES)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({"version": VERSION, "samples": samples()}, indent=1) + "\n")
