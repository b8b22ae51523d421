import os
import subprocess
import sys

import pytest

from stilts_core.catalogue import TASKS
from stilts_core.sources import lab
from stilts_core.sources.lab.dice import Dice, part_of

PARTS = [
    (name, "test" if "target" in row.roles else "train", language)
    for name, row in TASKS.items()
    if name != "mewslix"
    for language in (["qdu", "qpa"] if "target" in row.roles else ["en"])
]

DIGEST = """
import hashlib
from stilts_core.sources import lab
digest = hashlib.sha256()
for part in {parts!r}:
    digest.update(repr(lab.load(*part, seed=3, examples=4).items).encode())
digest.update(repr(lab.unlabelled("qja", seed=3, examples=20).items).encode())
print(digest.hexdigest())
"""


def test_two_processes_with_other_string_hashes_make_the_same_data(tmp_path):
    found = [
        subprocess.run(
            [sys.executable, "-c", DIGEST.format(parts=parts)],
            env=os.environ | {"PYTHONHASHSEED": seed, "STILTS_CACHE": str(tmp_path / seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for parts, seed in ((PARTS, "1"), (PARTS, "2"))
    ]
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["mnli", "squad", "panx", "commonsenseqa"])
def test_an_item_depends_on_its_number_and_not_on_how_many_are_made(name):
    many = lab.load(name, "train", examples=30).items
    assert lab.load(name, "train", examples=10).items == many[:10]
    assert lab.load(name, "train", seed=1, examples=10).items != many[:10]


def test_every_value_is_drawn_equally_often():
    dice = Dice("frequencies", 0)
    counts = [0] * 7
    for _ in range(14_000):
        counts[dice.below(7)] += 1
    assert all(abs(count - 2000) < 200 for count in counts)  # 4.8 standard deviations


def test_a_sample_holds_every_position_once():
    assert sorted(Dice("sample").sample(range(50), 50)) == list(range(50))


def test_parts_share_the_meanings_as_they_say():
    owners = [part_of(("meaning", number)) for number in range(10_000)]
    assert [round(owners.count(split) / 10_000, 1) for split in ("train", "dev", "test")] == [0.6, 0.2, 0.2]
