"""Scoring against the publishers' own files equals scoring against a folder of their labels."""

import json

import pytest
import toy_data
from click.testing import CliRunner

from stilts_core.cli import main
from stilts_core.errors import DataError
from stilts_core.sources.publishers import load
from stilts_core.submissions.files import write_gold, write_predictions
from stilts_core.submissions.gold import score_against_source
from stilts_core.submissions.score import score_folders

LANGUAGES = {"xnli": ("en", "de", "sw"), "tatoeba": ("de",)}


@pytest.fixture
def predictions(tmp_path, monkeypatch):
    """Predictions of two tasks in some languages, a gold folder beside them, and the data that both are about."""
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    for name, codes in LANGUAGES.items():
        for code in codes:
            items = load(name, "test", code).items
            write_gold(tmp_path / "gold", name, code, items)
            wrong = [{q.id: ["0"] for q in items[0].queries}] if name == "tatoeba" else ["neutral"] * len(items)
            write_predictions(tmp_path / "predictions", name, code, items, wrong)
    return tmp_path / "predictions"


def test_labels_of_the_data_give_the_scores_of_a_gold_folder(predictions):
    expected = score_folders(predictions, predictions.with_name("gold"), partial=True)
    ours = score_against_source(predictions, partial=True)
    assert ours.pop("missing") and expected.pop("missing")
    assert ours == expected and 0 < ours["tasks"]["xnli"]["score"] < 100
    done = CliRunner().invoke(main, ["score", "--predictions", str(predictions), "--partial", "--task", "xnli"])
    assert json.loads(done.output)["tasks"] == {"xnli": json.loads(json.dumps(ours["tasks"]["xnli"]))}


def test_messages_name_the_labels_of_the_data_without_a_temporary_folder(predictions):
    with pytest.raises(DataError, match=r"files are missing; add them(.|\n)*\ngold/xnli/test-zh.tsv"):
        score_against_source(predictions)
    path = predictions / "xnli/test-de.tsv"
    path.write_text("neutral\n")
    with pytest.raises(DataError, match=r"test-de.tsv: 1 lines, but \d+ in gold/xnli/test-de.tsv; predict every item"):
        score_against_source(predictions, partial=True)
    with pytest.raises(DataError, match="is not a folder; expected one of predictions"):
        score_against_source(path)
