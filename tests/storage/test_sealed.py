import tempfile

import pytest

from stilts_core.storage import cache
from stilts_core.storage.sealed import DIGESTS, sealed_folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "encoders" / "one"


def write(partial):
    (partial / "weights").write_bytes(b"weights")
    (partial / "config").write_bytes(b"config")


CHANGES = {
    "another content": lambda folder: (folder / "weights").write_bytes(b"others!"),
    "a missing file": lambda folder: (folder / "config").unlink(),
    "an empty file": lambda folder: (folder / "config").write_bytes(b""),
    "no digests": lambda folder: (folder / DIGESTS).unlink(),
    "damaged digests": lambda folder: (folder / DIGESTS).write_text("{"),
    "digests of another form": lambda folder: (folder / DIGESTS).write_text("[1]"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_folder_is_written_again_with_one_line(change, folder, capsys):
    assert sealed_folder(folder, write) == sealed_folder(folder, None) == folder
    CHANGES[change](folder)
    sealed_folder(folder, write)
    assert (folder / "weights").read_bytes() == b"weights" and (folder / "config").read_bytes() == b"config"
    (line,) = capsys.readouterr().err.splitlines()
    assert str(folder) in line and "is damaged" in line


def test_cache_that_cannot_be_written_is_replaced_by_another_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cache.private_folder.cache_clear()
    (tmp_path / "a-file").write_text("")
    elsewhere = sealed_folder(tmp_path / "a-file" / "encoders" / "one", write)
    assert (elsewhere / "weights").read_bytes() == b"weights"
    assert sealed_folder(tmp_path / "a-file" / "encoders" / "one", None) == elsewhere
