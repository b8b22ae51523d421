import time

from stilts_core.training.timing import Stopwatch


def test_stages_share_the_time_since_the_start():
    before, stopwatch = time.perf_counter(), Stopwatch()
    time.sleep(0.03)
    stopwatch.end_stage("data")
    stopwatch.end_stage("training")
    assert list(stopwatch.seconds) == ["data", "training"]
    assert stopwatch.seconds["data"] >= 0.03
    assert sum(stopwatch.seconds.values()) <= time.perf_counter() - before + 0.01
