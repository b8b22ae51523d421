"""Checksums are SHA-256, those of large files survive the process, and damaged entries are replaced."""

import hashlib
import os

import pytest

from stilts_core.storage import cache
from stilts_core.storage.cache import checksum


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
    assert checksum(path) == expected == stored.read_text()
