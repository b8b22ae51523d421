import numpy as np
import pytest
import torch

from stilts_core.families.ranking import ranked


@pytest.mark.parametrize("k", [1, 3, 9, 10, 40])
@pytest.mark.parametrize("spread", [1, 3, 1000])  # from all equal to hardly any
def test_places_are_those_of_a_stable_sort_of_everything(k, spread):
    values = np.random.default_rng(k).integers(spread, size=(50, 10)).astype(np.float32)
    oracle = np.argsort(-values, axis=1, kind="stable")[:, :k]
    for strided in (values, np.ascontiguousarray(values.T).T):
        np.testing.assert_array_equal(ranked(torch.from_numpy(strided), k), oracle)


def test_impossible_values_come_last():
    values = torch.tensor([[-torch.inf, 1.0, -torch.inf, 2.0]])
    assert ranked(values, 3).tolist() == [[3, 1, 0]]
