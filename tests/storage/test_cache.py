"""Checksums are SHA-256, those of large files survive the process, and damaged entries are replaced."""

import ast
import errno
import hashlib
import os
import tempfile
from pathlib import Path

import pytest

from stilts_core.storage import cache
from stilts_core.storage.cache import checksum, read_entry, write_entry

UNSAFE = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}  # reading them can run code


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "LARGE", 8)


def forget_checksums() -> None:
    """Forget the checksums that this process has computed, as a new process would not know them."""
    cache._checksum.cache_clear()


@pytest.mark.parametrize("size", [0, 7, 8, 100_000])
def test_checksum_is_sha256_and_only_large_files_are_stored(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    for _ in range(2):
        forget_checksums()
        assert checksum(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(list(tmp_path.glob("cache/checksums/*"))) == (size >= 8)


def test_checksum_follows_the_content(tmp_path):
    path = tmp_path / "x"
    for content in (b"one", b"three"):
        path.write_bytes(content)
        assert checksum(path) == hashlib.sha256(content).hexdigest()


def test_other_processes_reuse_the_stored_checksum_of_a_large_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    expected = checksum(path)
    forget_checksums()
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert checksum(path) == expected


def test_changed_content_changes_the_checksum_at_the_same_size_and_modification_time(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a" * 100)
    before, times = checksum(path), path.stat()
    path.write_bytes(b"b" * 100)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    forget_checksums()
    assert checksum(path) == hashlib.sha256(b"b" * 100).hexdigest() != before


def test_damaged_stored_checksum_is_replaced(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    expected = checksum(path)
    (stored,) = tmp_path.glob("cache/checksums/*")
    stored.write_text(expected[:20])
    forget_checksums()
    assert checksum(path) == expected == read_entry(stored)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "garbage": lambda path: path.write_bytes(b"\xff\x00garbage"),
    "another digest": lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]),
    "a folder": lambda path: path.unlink() or (path / "inner").mkdir(parents=True),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_entry_is_a_miss_with_one_line_and_is_replaced(damage, tmp_path, capsys):
    path, content = tmp_path / "entry.json", {"text": "夜 \ud800", "numbers": [1, None, 2.5]}
    write_entry(path, content)
    assert read_entry(path) == content
    DAMAGES[damage](path)
    assert read_entry(path) is None
    (line,) = capsys.readouterr().err.splitlines()
    assert str(path) in line and "is damaged" in line
    write_entry(path, content)
    assert read_entry(path) == content and not capsys.readouterr().err


def test_cache_that_cannot_be_written_is_reported_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path / "a-file"))
    (tmp_path / "a-file").write_text("no folder can be created here")
    for name in ("first", "second"):
        write_entry(tmp_path / "a-file" / "features" / name, 1)
        assert read_entry(tmp_path / "a-file" / "features" / name) is None
    lines = [line for line in capsys.readouterr().err.splitlines() if "cannot be written" in line]
    assert len(lines) == 1 and "continuing without it" in lines[0]


def test_full_disk_leaves_no_entry_and_no_temporary_file(tmp_path, capsys):
    def fill(temporary):
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    cache.store(tmp_path / "entry", fill)
    assert not list(tmp_path.glob("entry*")) and not list(tmp_path.glob(".entry*"))
    assert "No space left on device" in capsys.readouterr().err


def test_substitute_for_a_cache_that_cannot_be_written_is_private(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    cache.private_folder.cache_clear()
    (tmp_path / "a-file").write_text("")
    first = cache.writable_cache_folder(tmp_path / "a-file")
    assert cache.is_private(first) and cache.writable_cache_folder(tmp_path) == tmp_path
    cache.writable_cache_folder.cache_clear()
    cache.private_folder.cache_clear()
    assert cache.writable_cache_folder(tmp_path / "a-file") == first
    first.chmod(0o777)  # somebody else may have prepared it
    cache.writable_cache_folder.cache_clear()
    cache.private_folder.cache_clear()
    assert cache.writable_cache_folder(tmp_path / "a-file") != first


def test_no_module_reads_a_format_that_can_run_code():
    """SECURITY.md promises it: whoever can write to the cache, or to a record, can run no code."""
    package, found = Path(cache.__file__).parents[1], []
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [(path.name, name) for name in names if name.split(".")[0] in UNSAFE]
            if isinstance(node, ast.Call):
                call = ast.unparse(node)
                unsafe = call.startswith(("torch.load(", "eval(", "exec(")) or "allow_pickle" in call
                found += [(path.name, call)] if unsafe or "trust_remote_code" in call else []
    assert found == []
