import json

import nbformat
import pytest
from record_fixture import SENTENCES, grid_records, synthetic_record, with_values

from stilts_core.notebooks.pair import EXECUTED, UNFINISHED
from stilts_core.report.failed_runs import find_failures
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.runs import Neighbours, unique_titles, write_failure_pages, write_pages


def page_names(records) -> dict[str, str]:
    return {record.run_id: f"{record.run_id}.ipynb" for record in records}


def notebook(cells, **metadata) -> dict:
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def markdown(text, *tags) -> dict:
    return {"cell_type": "markdown", "id": "x", "metadata": {"tags": list(tags)} if tags else {}, "source": text}


def test_titles_name_seeds_of_repeated_pairs_and_hashes_of_repeated_seeds():
    once = grid_records(rows=("none", "mnli"), targets=("xnli",))
    seeds = grid_records(rows=("mnli",), targets=("xnli",), seeds=(1, 2))
    repeated = with_values(synthetic_record(), {"run_id": "mnli-xnli-invented-s2-ffffffffff", "config.seed": 2})
    titles = list(unique_titles([*once, *seeds, repeated]).values())
    assert titles[:3] == ["No intermediate task → XNLI", "MultiNLI → XNLI (seed 0)", "MultiNLI → XNLI (seed 1)"]
    assert titles[4] == "MultiNLI → XNLI (seed 2, ffffffffff)" and len(set(titles)) == 5


def test_run_links_to_its_row_its_column_and_its_other_seeds():
    records = grid_records(rows=("none", "qqp"), targets=("xnli", "udpos"), seeds=(0, 1))
    runs = {(record.config.intermediate, record.target, record.seed): record for record in records}
    links = Neighbours(records, page_names(records)).format_links(runs["qqp", "xnli", 1])
    assert "[Results](../results.md)" in links and "(../generated/targets/xnli.md)" in links
    linked = {key for key, record in runs.items() if f"({record.run_id}.ipynb)" in links}
    assert linked == {("none", "xnli", 1), ("qqp", "udpos", 1), ("qqp", "xnli", 0)}  # other cells: of the same seed


def test_neighbour_has_the_nearest_seed_where_the_same_seed_is_missing():
    baseline, near, far = [
        *grid_records(rows=("none",), targets=("xnli",)),
        *grid_records(rows=("qqp",), targets=("xnli",), seeds=(3, 5)),
    ]
    links = Neighbours([baseline, near, far], page_names([baseline, near, far])).format_links(baseline)
    assert near.run_id in links and far.run_id not in links


def test_notebook_page_has_title_and_links_and_is_in_no_table_of_contents(tmp_path):
    record = synthetic_record()
    folder = tmp_path / "runs" / "small" / record.run_id
    folder.mkdir(parents=True)
    tagged = {"tags": ["injected-parameters"]}
    code = {"cell_type": "code", "id": "p", "metadata": tagged, "source": "", "outputs": [], "execution_count": 1}
    (folder / EXECUTED).write_text(json.dumps(notebook([markdown("# One pair of tasks\n\nWords."), code])))
    write_pages([record], tmp_path / "runs", PageWriter(tmp_path / "book"))
    page = nbformat.read(tmp_path / "book" / "pairs" / f"{record.run_id}.ipynb", as_version=4)
    nbformat.validate(page)
    assert page.cells[0].source == "# MultiNLI → XNLI\n\nWords." and "[Results]" in page.cells[1].source
    assert "hide-input" in page.cells[2].metadata.tags and page.metadata.orphan is True


def test_record_without_notebook_has_a_page_without_text_of_the_data(tmp_path):
    record = synthetic_record().without_text()
    write_pages([record], tmp_path / "runs", PageWriter(tmp_path))
    page = (tmp_path / "pairs" / f"{record.run_id}.md").read_text()
    assert "# MultiNLI → XNLI" in page and page.count("<table") >= 4 and "orphan: true" in page
    assert not [sentence for sentence in SENTENCES.values() if sentence in page]


@pytest.fixture
def failed_folder(tmp_path, exception):
    """The folder of a run whose notebook stopped: with an error, or because the process still works or was killed."""
    error = {"output_type": "error", "ename": "TrainingError", "evalue": "the loss is nan", "traceback": []}
    cell = {"cell_type": "code", "id": "r", "metadata": {}, "source": "", "outputs": [error] if exception else []}
    execution = {"parameters": {"intermediate": "qqp", "target": "xnli"}, "exception": exception}
    note = markdown("An Exception!", "papermill-error-cell-tag")
    content = notebook([note, markdown("# One pair of tasks"), cell], papermill=execution)
    folder = tmp_path / "runs" / "lab" / "qqp-xnli-lab-s0-0123456789"
    folder.mkdir(parents=True)
    (folder / UNFINISHED).write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("exception", [True])
def test_failed_run_has_a_page_with_its_notebook_up_to_the_error(tmp_path, failed_folder):
    (failure,) = find_failures("lab", tmp_path / "runs")
    assert (
        failure.title == "Quora Question Pairs → XNLI (failed)" and failure.reason == "TrainingError: the loss is nan"
    )
    write_failure_pages([failure], PageWriter(tmp_path))
    (page,) = (tmp_path / "pairs").iterdir()
    assert json.loads(page.read_text())["cells"][0]["source"].startswith("# Quora Question Pairs → XNLI (failed)")
    (failed_folder / "record.json").write_text("{}")
    assert find_failures("lab", tmp_path / "runs") == []  # a later run succeeded


@pytest.mark.parametrize("exception", [None])
def test_unfinished_run_without_an_error_is_no_failure(tmp_path, failed_folder):
    assert find_failures("lab", tmp_path / "runs") == []
