import os
import tempfile
import time

import pytest
from click.testing import CliRunner
from record_fixture import synthetic_record

from stilts_core.cli import main
from stilts_core.errors import ConfigError
from stilts_core.runs.clean import find_superfluous, remove_superfluous
from stilts_core.runs.record import write_record
from stilts_core.storage.leftovers import temporary_folder
from stilts_core.storage.locks import lock_on


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder of runs with leftovers, an old cache entry, and a temporary folder of a process that was killed."""
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    runs = tmp_path / "runs"
    write_record(runs / "small" / "finished", synthetic_record("none", "xnli"))
    for name in ("small/finished/checkpoint/step-1", "checkpoints/orphan", "lab/encoders", "lab/lessons"):
        (runs / name).mkdir(parents=True)
        (runs / name / "tensors").write_bytes(b"x" * 1000)
    leftover = runs / "small" / "finished" / f".record.json.{'0' * 32}"
    leftover.write_text("half")
    for name in ("features/old.safetensors", "features/new.safetensors", "laboratory/marshalled"):
        (tmp_path / "cache" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cache" / name).write_text("entry")
    old = time.time() - 40 * 24 * 3600
    (tmp_path / "temporary" / "stilts-killed").mkdir(parents=True)
    for path in (leftover, tmp_path / "cache/features/old.safetensors", tmp_path / "temporary/stilts-killed"):
        os.utime(path, (old, old))
    return runs


def names(items, tmp_path) -> set[str]:
    return {str(item.path.relative_to(tmp_path)) for item in items if item.path.is_relative_to(tmp_path)}


EXPECTED = {
    "runs/small/finished/checkpoint",
    f"runs/small/finished/.record.json.{'0' * 32}",
    "runs/checkpoints/orphan",
    "cache/features/old.safetensors",
    "cache/laboratory/marshalled",
    "temporary/stilts-killed",
}


def test_only_what_no_run_needs_is_found_and_removed(runs, tmp_path):
    items = find_superfluous(runs)
    assert names(items, tmp_path) == EXPECTED
    mine = [item for item in items if item.path.is_relative_to(tmp_path)]
    assert remove_superfluous(mine) == mine
    assert not names(find_superfluous(runs), tmp_path)
    assert (runs / "small/finished/record.json").exists() and (tmp_path / "cache/features/new.safetensors").exists()


def test_nothing_is_removed_without_yes(runs, tmp_path):
    printed = CliRunner().invoke(main, ["clean", "--runs-dir", str(runs)]).output
    assert all(name in printed for name in EXPECTED) and "stilts clean --yes" in printed
    assert names(find_superfluous(runs), tmp_path) == EXPECTED


def test_what_a_process_uses_stays(runs, tmp_path):
    with lock_on(runs / "small" / "finished"), temporary_folder(str(tmp_path / "temporary")) as folder:
        mine = [item for item in find_superfluous(runs) if item.path.is_relative_to(tmp_path)]
        remove_superfluous(mine)
        assert os.path.isdir(folder) and (runs / "small/finished/checkpoint").exists()


def test_unfinished_run_keeps_all_checkpoints(runs, tmp_path):
    (runs / "small" / "mnli-xnli-lab-s0-0123456789").mkdir()
    assert "runs/checkpoints/orphan" not in names(find_superfluous(runs), tmp_path)


def test_next_temporary_folder_removes_the_one_that_a_killed_process_left(runs, tmp_path):
    with temporary_folder(str(tmp_path / "temporary")) as first, temporary_folder(str(tmp_path / "temporary")):
        assert os.path.isdir(first) and not (tmp_path / "temporary" / "stilts-killed").exists()
    assert not os.listdir(tmp_path / "temporary")


def test_named_folder_of_runs_must_exist_and_the_usual_one_need_not(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "temporary")
    with pytest.raises(ConfigError, match="--runs-dir is '/nope', which is not a folder; name the folder of runs"):
        CliRunner().invoke(main, ["clean", "--runs-dir", "/nope"], catch_exceptions=False)
    assert CliRunner().invoke(main, ["clean"], catch_exceptions=False).exit_code == 0
