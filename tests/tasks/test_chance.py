"""The recorded scores by chance, against the dev parts."""

from collections import Counter

import pytest

from stilts_core.laboratory.edition import FIRST
from stilts_core.laboratory.source import Laboratory
from stilts_core.sources import publishers
from stilts_core.sources.locations import data_root
from stilts_core.tasks.catalogue import TASKS
from stilts_core.tasks.chance import chance
from stilts_core.tasks.facts import read_facts

RECORDED = {(row["data"], row["task"]) for row in read_facts("chance")}
WITHOUT = {"squad", "ccg"}  # no answer scores there without reading


def count_chance(items, family: str) -> float:
    if family == "choice":
        return 100 * sum(1 / len(item.choices) for item in items) / len(items)
    if family == "span":
        return 100 * sum(not item.answers for item in items) / len(items)
    return 100 * max(Counter(item.label for item in items).values()) / len(items)


def test_every_intermediate_task_has_its_chance():
    intermediate = {name for name, task in TASKS.items() if "intermediate" in task.roles}
    assert {name for data, name in RECORDED if data == "publishers"} == intermediate - WITHOUT
    assert all(chance("publishers", name) is None for name in WITHOUT)


MEASURED = {("lab", name) for name in ("mnli", "qqp", "squad_v2", "commonsenseqa")}  # all would take long
MEASURED |= {(data, name) for data, name in RECORDED if data == "publishers"}


@pytest.mark.parametrize(("data", "name"), sorted(MEASURED))
def test_recorded_chance_is_that_of_the_dev_part(data, name):
    if data == "publishers" and data_root(None) is None:
        pytest.skip("needs STILTS_DATA")
    source = Laboratory(FIRST) if data == "lab" else publishers
    items = source.read(name, "dev").items
    assert chance(data, name) == pytest.approx(count_chance(items, TASKS[name].family), abs=0.06)
