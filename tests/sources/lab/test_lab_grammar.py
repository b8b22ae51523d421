import numpy as np
import pytest

from stilts_core.sources.lab.grammar import VALUES, Grammar


def test_distance_is_the_share_of_parameters_that_differ():
    other = Grammar(order="SOV", case="affix", article="none", question="particle")
    assert Grammar().distance(other) == pytest.approx(len(Grammar().differences(other)) / len(VALUES))
    assert other.distance(other) == pytest.approx(0)
    assert Grammar().distance(other) == other.distance(Grammar())


def test_vector_has_one_feature_for_each_value():
    vector = Grammar().vector()
    assert len(vector) == sum(map(len, VALUES.values()))
    assert np.flatnonzero(vector)[0] == 0 and vector.sum() == len(VALUES)


def test_an_unknown_value_is_named_with_those_that_are_known():
    with pytest.raises(ValueError, match="order is 'OSV'; choose one of SVO, SOV, VSO, VOS"):
        Grammar(order="OSV")
