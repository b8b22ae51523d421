import numpy as np
import pytest

from stilts_core.laboratory.language.grammar import VALUES, Grammar


def test_distance_is_the_share_of_parameters_that_differ():
    other = Grammar(order="SOV", case="affix", article="none", question="particle")
    assert Grammar().distance(other) == pytest.approx(len(Grammar().differences(other)) / len(VALUES))
    assert other.distance(other) == pytest.approx(0)
    assert Grammar().distance(other) == other.distance(Grammar())


def test_vector_is_one_hot_for_every_parameter():
    vector = Grammar().vector()
    assert len(vector) == sum(map(len, VALUES.values()))
    assert np.flatnonzero(vector)[0] == 0 and vector.sum() == len(VALUES)


def test_unknown_value_raises_an_error_that_lists_the_known_values():
    with pytest.raises(ValueError, match="order is 'OSV'; choose one of SVO, SOV, VSO, VOS"):
        Grammar(order="OSV")
