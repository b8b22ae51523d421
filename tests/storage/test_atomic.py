"""Files and folders appear whole or not at all, even when their writers are killed or write at the same time."""

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from stilts_core.storage import atomic
from stilts_core.storage.atomic import find_unfinished, remove_unfinished, whole_file, whole_folder, write_whole

# Writes half of a file and waits to be killed.
UNFINISHED_FILE = """
import sys, time
from pathlib import Path
from stilts_core.storage.atomic import whole_file
with whole_file(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("half", flush=True)
    time.sleep(60)
"""
UNFINISHED_FOLDER = UNFINISHED_FILE.replace("whole_file", "whole_folder").replace(
    'temporary.write_text("half")', '(temporary / "first").write_text("half")'
)
# Replaces a file by 200 contents of one repeated letter each.
REPEATED_WRITER = """
import sys
from pathlib import Path
from stilts_core.storage.atomic import write_whole
for number in range(200):
    write_whole(Path(sys.argv[1]), sys.argv[2] * (10_000 + number), durable=False)
"""


def kill_while_writing(script: str, path: Path) -> None:
    """Run a script until it reports that half of its work is done, then kill it."""
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == "half\n"
        writer.send_signal(signal.SIGKILL)


def test_file_is_never_seen_in_part(tmp_path):
    path, sizes, finished = tmp_path / "new" / "file", set(), threading.Event()

    def watch() -> None:
        while not finished.is_set():
            if path.exists():
                sizes.add(path.stat().st_size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with whole_file(path) as temporary, temporary.open("wb") as file:
        for _ in range(50):
            file.write(b"x" * 10_000)
            file.flush()
    finished.set()
    watcher.join()
    assert sizes <= {500_000} and path.stat().st_size == 500_000
    assert list(path.parent.iterdir()) == [path]


def test_error_in_the_block_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    path = write_whole(tmp_path / "file", "old")
    with pytest.raises(KeyError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", ["old", None])
def test_killed_writer_keeps_the_old_file(tmp_path, old):
    path = tmp_path / "file"
    if old:
        path.write_text(old)
    kill_while_writing(UNFINISHED_FILE, path)
    assert (path.read_text() if path.exists() else None) == old
    write_whole(path, "new")
    assert path.read_text() == "new"


def test_last_writer_to_finish_wins(tmp_path):
    path = tmp_path / "file"
    with whole_file(path) as first:
        first.write_text("finished last")
        with whole_file(path) as second:
            second.write_text("finished first")
        assert path.read_text() == "finished first"
    assert path.read_text() == "finished last"


def test_simultaneous_writers_leave_the_whole_content_of_one(tmp_path):
    path = write_whole(tmp_path / "file", "a" * 10_000)
    writers = [subprocess.Popen([sys.executable, "-c", REPEATED_WRITER, str(path), letter]) for letter in "ab"]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        content = path.read_text()
        assert len(content) >= 10_000 and content == content[0] * len(content)
        seen.add(content[0])
    assert [writer.returncode for writer in writers] == [0, 0] and seen == {"a", "b"}
    assert path.read_text() in {"a" * 10_199, "b" * 10_199} and list(tmp_path.iterdir()) == [path]


def test_replacing_a_file_keeps_its_permissions(tmp_path):
    path = write_whole(tmp_path / "file", "old")
    path.chmod(0o640)
    write_whole(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640 and path.read_text() == "new"


def test_new_file_has_the_permissions_of_any_new_file(tmp_path):
    ordinary, whole = tmp_path / "ordinary", write_whole(tmp_path / "whole", "text")
    ordinary.write_text("text")
    assert whole.stat().st_mode == ordinary.stat().st_mode


@pytest.mark.parametrize("content", ["a\r\nb\n夜", b"\x00\xff\r\n", ""])
def test_content_is_written_unchanged(tmp_path, content):
    path = write_whole(tmp_path / "file", content)
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode("utf-8"))


@pytest.mark.parametrize("durable", [True, False])
def test_durable_file_is_on_the_disk_before_it_gets_its_name(tmp_path, monkeypatch, durable):
    path, synchronised = tmp_path / "file", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synchronised.append(path.exists()))
    write_whole(path, "text", durable=durable)
    assert synchronised == ([False, True] if durable else [])  # the file, and after the rename its folder


def test_folder_appears_whole(tmp_path):
    path = tmp_path / "new" / "folder"
    with whole_folder(path) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "file").write_text("text")
        assert not path.exists()
    assert (path / "inner" / "file").read_text() == "text" and list(path.parent.iterdir()) == [path]


def test_error_in_the_block_leaves_no_folder(tmp_path):
    with pytest.raises(KeyError), whole_folder(tmp_path / "folder") as temporary:
        (temporary / "file").write_text("half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_next_writer_removes_what_a_killed_writer_left(tmp_path):
    path = tmp_path / "folder"
    kill_while_writing(UNFINISHED_FOLDER, path)
    assert not path.exists() and len(list(tmp_path.iterdir())) == 1
    with whole_folder(path) as temporary:
        (temporary / "file").write_text("text")
    assert list(tmp_path.iterdir()) == [path] and [file.name for file in path.iterdir()] == ["file"]


def test_existing_folder_is_not_replaced(tmp_path):
    path = tmp_path / "folder"
    for content in ("old", "new"):
        if path.exists():
            with pytest.raises(OSError), whole_folder(path) as temporary:
                (temporary / "file").write_text(content)
        else:
            with whole_folder(path) as temporary:
                (temporary / "file").write_text(content)
    assert (path / "file").read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_only_unfinished_folders_of_the_same_name_are_removed(tmp_path):
    token = "0" * 32
    for name in ("step-1", f".step-1.{token}", f".step-10.{token}", f".other.{token}", ".step-1.notes"):
        (tmp_path / name).mkdir()
    remove_unfinished(tmp_path / "step-1")
    assert {folder.name for folder in tmp_path.iterdir()} == {
        "step-1",
        f".step-10.{token}",
        f".other.{token}",
        ".step-1.notes",
    }


def test_what_a_killed_writer_left_is_removed_by_the_next_writer_in_the_folder(tmp_path):
    kill_while_writing(UNFINISHED_FILE, tmp_path / "first")
    kill_while_writing(UNFINISHED_FOLDER, tmp_path / "second")
    leftovers = list(tmp_path.iterdir())
    assert len(leftovers) == 2
    for leftover in leftovers:
        os.utime(leftover, (1, 1))
    script = "import sys; from pathlib import Path; from stilts_core.storage.atomic import write_whole; "
    script += "write_whole(Path(sys.argv[1]), 'new')"
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "third")], check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["third"]


def test_temporary_file_of_a_living_writer_is_never_removed(tmp_path):
    with whole_file(tmp_path / "file") as temporary, whole_folder(tmp_path / "folder") as folder:
        for path in (temporary, folder):
            os.utime(path, (1, 1))
        assert find_unfinished(tmp_path) == []
        remove_unfinished(tmp_path / "file")
        remove_unfinished(tmp_path / "folder")
        assert temporary.exists() and folder.exists()


def test_temporary_name_that_exists_is_never_written_to(tmp_path, monkeypatch):
    taken = tmp_path / f".file.{'0' * 32}"
    taken.write_text("another process writes here")
    monkeypatch.setattr(atomic, "uuid4", lambda: SimpleNamespace(hex="0" * 32))
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "file", "text")
    assert taken.read_text() == "another process writes here"


def test_name_of_the_greatest_length_can_be_written(tmp_path):
    path = tmp_path / ("é" * 127)
    assert write_whole(path, "text").read_text() == "text"


def test_error_of_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError) as caught, whole_file(tmp_path / "file"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert str(tmp_path / "file") in str(caught.value)


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_full_disk_that_a_library_in_rust_reports_is_an_error_of_the_system(tmp_path, whole):
    from safetensors import SafetensorError

    message = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(OSError, match="No space left on device") as caught, whole(tmp_path / "name"):
        raise SafetensorError(message)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(tmp_path / "name"))
    with pytest.raises(SafetensorError, match="another reason"), whole(tmp_path / "name"):
        raise SafetensorError("another reason")
    assert list(tmp_path.iterdir()) == []
