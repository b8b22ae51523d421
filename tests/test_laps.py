import subprocess
import sys
import time

from stilts_core.laps import Laps


def test_laps_share_all_the_time_since_the_start():
    before, laps = time.perf_counter(), Laps()
    time.sleep(0.03)
    laps.end("data")
    laps.end("training")
    assert list(laps.seconds) == ["data", "training"]
    assert laps.seconds["data"] >= 0.03
    assert sum(laps.seconds.values()) <= time.perf_counter() - before + 0.01


def test_process_is_as_old_as_whoever_started_it_knows():
    source = "import time; time.sleep(0.3); from stilts_core.laps import process_seconds; print(process_seconds())"
    started = time.perf_counter()
    age = float(subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout)
    assert 0.28 <= age <= time.perf_counter() - started + 0.02
