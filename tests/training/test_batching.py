import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stilts_core.families.batches import collate
from stilts_core.families.features import IGNORE, build_features
from stilts_core.training.batching import (
    GroupSampling,
    compute_sampling_shares,
    count_visits,
    draw_epoch_batches,
    split_evenly,
    split_within_budget,
)


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 40, size=60)
    sequences = [(list(rng.integers(5, 99, size=n)), [0] * n) for n in lengths]
    tags = [list(rng.integers(0, 4, size=n)) for n in lengths]
    targets = {"label": list(range(30))}
    return build_features(sequences, sequence_counts=[2, 1, 3] * 10, token_targets={"tag": tags}, targets=targets)


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


def test_epoch_contains_every_feature_once_and_differs_from_the_next(features):
    first, second = (draw_epoch_batches(features.lengths, 4, seed=3, epoch=epoch) for epoch in (0, 1))
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second)) == list(range(len(features)))
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()
    assert [b.tolist() for b in draw_epoch_batches(features.lengths, 4, 3, 0)] == [b.tolist() for b in first]


def test_batches_of_similar_length_pad_less_than_random_ones():
    lengths = np.random.default_rng(1).integers(4, 200, size=2000)

    def padded(batches) -> int:
        return sum(lengths[batch].max() * len(batch) for batch in batches)

    random = np.random.default_rng(2).permutation(2000).reshape(-1, 20)
    assert padded(draw_epoch_batches(lengths, 20, 0, 0)) < 0.75 * padded(random)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 50])
@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_shares_of_a_batch_are_even_and_contain_every_feature(features, size, count):
    chosen = np.random.default_rng(size).permutation(len(features))[:size]
    shares = split_evenly(features, chosen, count)
    assert len(shares) == count
    assert sorted(np.concatenate(shares)) == sorted(chosen)
    sizes = np.add.reduceat(np.diff(features.starts), features.first[:-1])
    work = np.array([sizes[share].sum() for share in shares])
    assert abs(work - sizes[chosen].sum() / count).max() <= sizes[chosen].max()


def test_micro_batches_respect_the_budget_and_contain_every_feature(features):
    chosen = np.arange(len(features))
    micro_batches = split_within_budget(features, chosen, token_budget=100)
    assert sorted(np.concatenate(micro_batches)) == chosen.tolist()
    for micro_batch in micro_batches:
        sequences = (features.first[micro_batch + 1] - features.first[micro_batch]).sum()
        assert len(micro_batch) == 1 or sequences * features.lengths[micro_batch].max() <= 100


def test_temperature_flattens_and_cap_limits_sampling_shares():
    assert np.allclose(compute_sampling_shares([100, 300]), [0.25, 0.75])
    assert np.allclose(compute_sampling_shares([100, 300], cap=100), [0.5, 0.5])
    tempered = compute_sampling_shares([100, 300], temperature=2)
    assert 0.25 < tempered[0] < 0.5


def test_digest_depends_on_token_targets(features):
    digest = features.digest()
    features.token_targets["tag"][3] += 1
    assert features.digest() != digest


# --- groups
@pytest.mark.parametrize("alpha", [1.0, 0.3, 0.0])
def test_languages_are_visited_in_proportion_to_their_size_to_the_power_of_alpha(alpha):
    sizes = np.array([700, 200, 30, 70])
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(4), sizes))
    shares = compute_sampling_shares(sizes.tolist(), temperature=1 / alpha if alpha else np.inf)
    np.testing.assert_allclose(shares, sizes**alpha / (sizes**alpha).sum())
    sampling = GroupSampling(groups, shares)
    for epoch in (0, 1, 7):
        visits = sampling.draw_visits(3, epoch)
        assert len(visits) == 1000
        assert np.abs(np.bincount(groups[visits], minlength=4) - 1000 * shares).max() < 1


def test_features_of_a_group_are_visited_equally_often_in_a_new_order():
    groups = np.array([0] * 50 + [1] * 7)
    sampling = GroupSampling(groups, np.array([0.4, 0.6]))
    visits = np.concatenate([sampling.draw_visits(3, epoch) for epoch in range(30)])
    for group in (0, 1):
        counts = np.bincount(visits, minlength=57)[groups == group]
        assert counts.max() - counts.min() <= 1 and counts.min() > 0
    assert (sampling.draw_visits(3, 4) == sampling.draw_visits(3, 4)).all()
    assert (sampling.draw_visits(3, 4) != sampling.draw_visits(3, 5)).any()
    assert (sampling.draw_visits(3, 4) != sampling.draw_visits(4, 4)).any()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6).filter(lambda shares: sum(shares) > 0.1), st.integers(0, 500))
@settings(deadline=None, max_examples=100, derandomize=True)
def test_whole_numbers_of_visits_sum_to_the_total_and_differ_from_the_shares_by_less_than_one(shares, total):
    exact = np.array(shares) / sum(shares)
    counts = count_visits(exact, total)
    assert counts.sum() == total and (np.abs(counts - exact * total) < 1 + 1e-9).all()
