import os
import subprocess
import sys

import pytest

from stilts_core.laboratory import generator
from stilts_core.laboratory.dice import Dice
from stilts_core.tasks.catalogue import TASKS

PARTS = [
    (name, "test" if "target" in row.roles else "train", language)
    for name, row in TASKS.items()
    if name in generator.TASK_NAMES
    for language in (["qdu", "qpa"] if "target" in row.roles else ["en"])
]

DIGEST = """
import hashlib
from stilts_core.laboratory import generator
digest = hashlib.sha256()
for part in {parts!r}:
    digest.update(repr(generator.load(*part, seed=3, examples=4).items).encode())
digest.update(repr(generator.unlabelled("qja", seed=3, examples=20).items).encode())
print(digest.hexdigest())
"""


def test_data_do_not_depend_on_the_string_hashes_of_the_process(tmp_path):
    one, other = (
        subprocess.run(
            [sys.executable, "-c", DIGEST.format(parts=PARTS)],
            env=os.environ | {"PYTHONHASHSEED": seed, "STILTS_CACHE": str(tmp_path / seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    )
    assert one == other


@pytest.mark.parametrize("name", ["mnli", "squad", "panx", "commonsenseqa"])
def test_item_depends_on_its_number_and_the_seed_only(name):
    many = generator.load(name, "train", examples=30).items
    assert generator.load(name, "train", examples=10).items == many[:10]
    assert generator.load(name, "train", seed=1, examples=10).items != many[:10]


def test_all_values_are_equally_likely():
    dice = Dice("frequencies", 0)
    counts = [0] * 7
    for _ in range(14_000):
        counts[dice.below(7)] += 1
    assert all(abs(count - 2000) < 200 for count in counts)  # 4.8 standard deviations


def test_sample_is_without_replacement():
    assert sorted(Dice("sample").sample(range(50), 50)) == list(range(50))
