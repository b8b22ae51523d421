import numpy as np
import pytest

from stilts_core.batching import IGNORE, collate, columns, epoch_batches, even_shares, sampling_shares, within_budget


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 40, size=60)
    sequences = [(list(rng.integers(5, 99, size=n)), [0] * n) for n in lengths]
    tags = [list(rng.integers(0, 4, size=n)) for n in lengths]
    targets = {"label": list(range(30))}
    return columns(sequences, per_feature=[2, 1, 3] * 10, token_targets={"tag": tags}, targets=targets)


def test_collated_batch_holds_exactly_the_chosen_sequences(features):
    chosen = np.array([7, 2, 11])
    batch = collate(features, chosen, pad=1)
    rows = [s for f in chosen for s in range(features.first[f], features.first[f + 1])]
    assert batch.sequences.tolist() == rows
    for row, sequence in enumerate(rows):
        window = slice(features.starts[sequence], features.starts[sequence + 1])
        assert batch.ids[row][batch.mask[row]].tolist() == features.ids[window].tolist()
        tags = batch.token_targets["tag"][row][batch.mask[row]]
        assert tags.tolist() == features.token_targets["tag"][window].tolist()
    assert (batch.ids[~batch.mask] == 1).all()
    assert (batch.token_targets["tag"][~batch.mask] == IGNORE).all()
    assert batch.targets["label"].tolist() == chosen.tolist()


def test_epoch_meets_every_feature_once_and_differs_from_the_next(features):
    first, second = (epoch_batches(features.lengths, 4, seed=3, epoch=epoch) for epoch in (0, 1))
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second)) == list(range(len(features)))
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()
    assert [b.tolist() for b in epoch_batches(features.lengths, 4, 3, 0)] == [b.tolist() for b in first]


def test_batches_of_similar_length_pad_less_than_random_ones():
    lengths = np.random.default_rng(1).integers(4, 200, size=2000)

    def padded(batches) -> int:
        return sum(lengths[batch].max() * len(batch) for batch in batches)

    random = np.random.default_rng(2).permutation(2000).reshape(-1, 20)
    assert padded(epoch_batches(lengths, 20, 0, 0)) < 0.75 * padded(random)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_shares_of_a_batch_are_even_and_lose_nothing(features, size, count):
    chosen = np.random.default_rng(size).permutation(len(features))[:size]
    shares = even_shares(features, chosen, count)
    assert len(shares) == count
    assert sorted(np.concatenate(shares)) == sorted(chosen)
    sizes = np.add.reduceat(np.diff(features.starts), features.first[:-1])
    work = np.array([sizes[share].sum() for share in shares])
    assert abs(work - sizes[chosen].sum() / count).max() <= sizes[chosen].max()


def test_parts_of_a_batch_respect_the_budget_and_lose_nothing(features):
    chosen = np.arange(len(features))
    parts = within_budget(features, chosen, token_budget=100)
    assert sorted(np.concatenate(parts)) == chosen.tolist()
    for part in parts:
        rows = (features.first[part + 1] - features.first[part]).sum()
        assert len(part) == 1 or rows * features.lengths[part].max() <= 100


def test_temperature_flattens_and_cap_limits_sampling_shares():
    assert np.allclose(sampling_shares([100, 300]), [0.25, 0.75])
    assert np.allclose(sampling_shares([100, 300], cap=100), [0.5, 0.5])
    tempered = sampling_shares([100, 300], temperature=2)
    assert 0.25 < tempered[0] < 0.5


def test_digest_sees_every_column(features):
    digest = features.digest()
    features.token_targets["tag"][3] += 1
    assert features.digest() != digest
