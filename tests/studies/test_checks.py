"""Checks of parts of a protocol: the metrics that they know are those that a table has."""

from record_fixture import synthetic_record

from stilts_core.studies.checks import LATENCY_METRICS, MEASURES, check_metric
from stilts_core.studies.latency import PRIMARY
from stilts_core.studies.measures import read_measures
from stilts_core.studies.transferability import SCORES, SELECTOR


def test_every_measure_of_a_record_is_a_known_metric():
    found = {metric for metric, _, _ in read_measures(synthetic_record("mnli", "tatoeba"))}
    assert found
    for metric in (*found, *(SELECTOR + name for name in SCORES)):
        assert MEASURES.fullmatch(metric)
        check_metric("primary.metric", metric, "tatoeba", latency=False)
    assert PRIMARY in LATENCY_METRICS
