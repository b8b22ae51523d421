import csv
import re

import pytest
from record_fixture import encoder_facts, grid_records, with_values

from stilts_core.config import PROFILES
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import transfer

GRID = {"rows": ("none", "qqp"), "targets": ("xnli", "udpos", "tatoeba")}


def build_page(folder, records, profile="lab", encoders=()) -> str:
    return transfer.build_page(Grid(records), encoders, PROFILES[profile]["source"], PageWriter(folder))


def read_figures(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "generated").glob("*.svg")}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The folder of a laboratory's page, and the page."""
    folder = tmp_path_factory.mktemp("book")
    return folder, build_page(folder, grid_records(**GRID), encoders=[encoder_facts()])


def test_slopes_are_given_in_words_and_in_numbers_with_intervals(lab):
    # The records were built with 30 points for the whole distance and 3 for tenfold text.
    slopes = re.findall(
        r"(a tenth of distance|ten times as much pretraining text) \| (\S+) \[(\S+),\u00a0(\S+)\]", lab[1]
    )
    assert len(slopes) == 6  # the baseline, all rows, and with the other factors of the design
    for name, *numbers in slopes:
        value, low, high = (float(number.replace("−", "-")) for number in numbers)
        assert value == pytest.approx(-3 if name == "a tenth of distance" else 3, abs=0.5) and low < value < high
    words = r"Without intermediate training, a tenth of distance costs \d\.\d points and ten times as much"
    assert re.search(words, lab[1])
    assert "correlate at 0.00, so that the model can separate their effects" in lab[1]


def test_other_factors_of_the_laboratory_are_in_the_same_model(lab):
    assert "another script than English's" in lab[1] and "shared with English" in lab[1]


def test_encoder_before_fine_tuning_is_shown_by_language_and_by_hidden_state(lab):
    folder, page = lab
    with (folder / "generated" / "pretraining.csv").open(newline="") as file:
        lines = {line["language"]: line for line in csv.DictReader(file)}
    for code, facts in encoder_facts()["languages"].items():
        assert float(lines[code]["mlm_loss"]) == pytest.approx(facts["mlm_loss"], abs=1e-4)
        assert [float(lines[code][f"state_{i}"]) for i in range(4)] == pytest.approx(facts["retrieval"], abs=1e-4)
    assert "pretraining-loss.svg" in page and "pretraining-retrieval.svg" in page


def test_figures_have_the_same_bytes_every_time(lab, tmp_path):
    build_page(tmp_path, grid_records(**GRID), encoders=[encoder_facts()])
    figures = read_figures(tmp_path)
    assert len(figures) == 4 and read_figures(lab[0]) == figures


def test_page_of_real_languages_warns_that_the_factors_correlate(tmp_path):
    page = build_page(tmp_path, grid_records("small", ("none",), ("xnli",)), "small")
    assert "neither slope need be a causal effect" in page
    assert "shared with English" not in page and "pretraining-loss" not in page


def test_rows_with_sham_labels_are_left_out(tmp_path):
    records = grid_records(rows=("none", "qqp"), targets=("xnli",))
    (record,) = grid_records(rows=("ccg",), targets=("xnli",))
    sham = with_values(record, {"config.sham_labels": True})
    assert build_page(tmp_path, [*records, sham]) == build_page(tmp_path, records)


def test_cells_with_the_same_data_are_left_out_and_the_page_says_so(tmp_path):
    records = grid_records(rows=("none", "qqp"), targets=("xnli", "udpos"))
    (same,) = grid_records(rows=("mnli",), targets=("xnli",))
    assert same.same_data
    page = build_page(tmp_path, records)
    assert build_page(tmp_path, [*records, same]) == page
    assert "without cells whose intermediate task is the target's own training set" in page


def test_grid_without_a_baseline_still_has_a_page(tmp_path):
    assert "over all rows of the grid" in build_page(tmp_path, grid_records(rows=("qqp",), targets=("xnli",)))


@pytest.mark.parametrize(
    "languages, explanation",
    [(("en", "qal", "qbe"), "no slope is fitted"), (("en",), "has scored two languages besides English")],
)
def test_grid_with_few_languages_still_has_a_page(tmp_path, languages, explanation):
    records = grid_records(rows=("none",), targets=("xnli",), languages=languages)
    assert explanation in build_page(tmp_path, records)
