import csv
import re

import pytest
from record_fixture import encoder_facts, grid_records

from stilts_core.report import transfer
from stilts_core.report.grid import Grid
from stilts_core.report.pages import Pages


def page(folder, records, profile="lab", encoders=()) -> str:
    return transfer.page(Grid(records), encoders, profile, Pages(folder))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The folder of a laboratory's page, and the page."""
    folder = tmp_path_factory.mktemp("book")
    return folder, page(
        folder, grid_records(rows=("none", "qqp"), targets=("xnli", "udpos", "tatoeba")), "lab", [encoder_facts()]
    )


def test_slopes_are_said_in_words_and_in_numbers_with_intervals(lab):
    # The records were made with 30 points for the whole distance and 3 for tenfold text.
    found = re.findall(r"(a tenth of distance|ten times as much pretraining text) \| (\S+) \((\S+) to (\S+)\)", lab[1])
    assert len(found) == 6  # the baseline, all rows, and with the other factors of the design
    for name, value, low, high in found:
        value, low, high = (float(number.replace("−", "-")) for number in (value, low, high))
        assert value == pytest.approx(-3 if name == "a tenth of distance" else 3, abs=0.5) and low < value < high
    assert re.search(
        r"Without intermediate training, a tenth of distance costs \d\.\d points and ten times as much", lab[1]
    )
    assert "correlate at 0.00, so that the two can be told apart" in lab[1]


def test_the_laboratory_s_other_factors_stand_in_the_same_model(lab):
    assert "another script than English's" in lab[1] and "shared with English" in lab[1]


def test_an_encoder_before_fine_tuning_is_shown_by_language_and_by_hidden_state(lab):
    folder, text = lab
    with (folder / "generated" / "pretraining.csv").open(newline="") as file:
        lines = {line["language"]: line for line in csv.DictReader(file)}
    for code, facts in encoder_facts()["languages"].items():
        assert float(lines[code]["mlm_loss"]) == pytest.approx(facts["mlm_loss"], abs=1e-4)
        assert [float(lines[code][f"state_{i}"]) for i in range(4)] == pytest.approx(facts["retrieval"], abs=1e-4)
    assert "pretraining-loss.svg" in text and "pretraining-retrieval.svg" in text


def test_figures_of_the_page_are_the_same_every_time(lab, tmp_path):
    page(tmp_path, grid_records(rows=("none", "qqp"), targets=("xnli", "udpos", "tatoeba")), "lab", [encoder_facts()])
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "generated").glob("*.svg")}
    assert len(drawn) == 4 and all((lab[0] / "generated" / name).read_bytes() == svg for name, svg in drawn.items())


def test_real_languages_are_told_that_the_factors_hang_together(tmp_path):
    text = page(tmp_path, grid_records("small", ("none",), ("xnli",)), "small")
    assert (
        "neither slope need be that of a cause" in text
        and "shared with English" not in text
        and "pretraining-loss" not in text
    )


def test_shams_have_no_part_in_it(tmp_path):
    records = grid_records(rows=("none", "qqp"), targets=("xnli",))
    sham = grid_records(rows=("ccg",), targets=("xnli",))
    sham[0]["config"]["sham_labels"] = True
    assert page(tmp_path, [*records, *sham]) == page(tmp_path, records)


def test_a_grid_without_a_baseline_or_with_few_languages_still_has_a_page(tmp_path):
    assert "over all rows of the grid" in page(tmp_path, grid_records(rows=("qqp",), targets=("xnli",)))
    few = grid_records(rows=("none",), targets=("xnli",), languages=("en", "qal", "qbe"))
    assert "no slope is fitted" in page(tmp_path, few)
    assert "has scored two languages" in page(
        tmp_path, grid_records(rows=("none",), targets=("xnli",), languages=("en",))
    )
