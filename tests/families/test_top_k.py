import numpy as np
import pytest
import torch

from stilts_core.families.top_k import top_k


@pytest.mark.parametrize("k", [1, 3, 9, 10, 40])
@pytest.mark.parametrize("spread", [1, 3, 1000])  # from all values equal to hardly any
def test_columns_equal_a_stable_sort_of_all_values(k, spread):
    values = np.random.default_rng(k).integers(spread, size=(50, 10)).astype(np.float32)
    expected = np.argsort(-values, axis=1, kind="stable")[:, :k]
    for strided in (values, np.ascontiguousarray(values.T).T):
        np.testing.assert_array_equal(top_k(torch.from_numpy(strided), k), expected)


def test_minus_infinity_comes_last():
    values = torch.tensor([[-torch.inf, 1.0, -torch.inf, 2.0]])
    assert top_k(values, 3).tolist() == [[3, 1, 0]]
