import hashlib
import os
import threading

import pytest

from stilts_core import cache
from stilts_core.cache import checksum, written_whole


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "LARGE", 8)


def anew() -> None:
    """What another process would know: nothing."""
    cache._checksum.cache_clear()


@pytest.mark.parametrize("size", [0, 7, 8, 100_000])
def test_checksum_is_sha256_and_only_that_of_a_large_file_is_kept(tmp_path, size):
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    for _ in range(2):
        anew()
        assert checksum(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(list(tmp_path.glob("cache/checksums/*"))) == (size >= 8)


def test_checksum_is_of_the_file_as_it_is_now(tmp_path):
    path = tmp_path / "x"
    for content in (b"one", b"three"):
        path.write_bytes(content)
        assert checksum(path) == hashlib.sha256(content).hexdigest()


def test_checksum_of_a_large_file_is_not_computed_again_by_another_process(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    expected = checksum(path)
    anew()
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert checksum(path) == expected


def test_changed_file_has_another_checksum_even_if_its_size_and_its_own_time_stay(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a" * 100)
    before, times = checksum(path), path.stat()
    path.write_bytes(b"b" * 100)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    anew()
    assert checksum(path) == hashlib.sha256(b"b" * 100).hexdigest() != before


def test_damaged_note_of_a_checksum_is_made_anew(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    expected = checksum(path)
    (note,) = tmp_path.glob("cache/checksums/*")
    note.write_text(expected[:20])
    anew()
    assert checksum(path) == expected == note.read_text()


def test_file_written_whole_is_never_seen_in_part_and_a_failed_one_never_at_all(tmp_path):
    path, seen = tmp_path / "new" / "file", set()
    done = threading.Event()

    def watch():
        while not done.is_set():
            if path.exists():
                seen.add(path.stat().st_size)

    watching = threading.Thread(target=watch)
    watching.start()
    with written_whole(path) as part, part.open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 10_000)
            file.flush()
    done.set()
    watching.join()
    with pytest.raises(KeyError), written_whole(path) as part:
        part.write_text("half")
        raise KeyError
    assert seen <= {500_000} and path.stat().st_size == 500_000
    assert list(path.parent.iterdir()) == [path]
