import numpy as np
import pytest
import torch
from peer import inputs, peer, whole_batch
from scipy.stats import binomtest
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode
from toy import make_text_features
from transformers import AutoModelForMaskedLM

from stilts_core.families import mlm
from stilts_core.families.batches import Batch, collate
from stilts_core.families.features import IGNORE, Truncation
from stilts_core.families.mlm import MLMHead
from stilts_core.tasks.examples import TextExample

LAYERS = {
    "xlm-roberta": {"dense": "lm_head.dense", "norm": "lm_head.layer_norm"},
    "bert": {"dense": "cls.predictions.transform.dense", "norm": "cls.predictions.transform.LayerNorm"},
}


@pytest.fixture
def batch(encoder) -> Batch:
    return whole_batch(make_text_features(encoder, 400), encoder)


def test_loss_and_gradients_equal_transformers(encoder):
    torch.manual_seed(1)
    head, layers = MLMHead(encoder), LAYERS[encoder.kind]
    batch = head.prepare(whole_batch(make_text_features(encoder, 16), encoder), (1,))
    model = peer(AutoModelForMaskedLM, encoder, head, {})
    loss = model(**inputs(batch), labels=batch.token_targets["token"]).loss
    mean = head.loss(encoder.hidden(**batch.inputs), batch) / head.count_terms(batch)
    torch.testing.assert_close(mean, loss)
    mean.backward()
    loss.backward()
    pairs = [(encoder.model, model.base_model)] + [
        (head.get_submodule(ours), model.get_submodule(there)) for ours, there in layers.items()
    ]
    for ours, there in pairs:
        for name, parameter in ours.named_parameters():
            torch.testing.assert_close(parameter.grad, there.get_parameter(name).grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(head.bias.grad, model.get_output_embeddings().bias.grad)


@pytest.mark.parametrize("is_trimmed", [False, True])
def test_counted_operations_of_the_head_equal_those_of_pytorch(encoder, is_trimmed):
    features = make_text_features(encoder, 16)
    if is_trimmed:
        encoder.trim_vocabulary(np.unique(features.ids))
    head = MLMHead(encoder)
    batch = head.prepare(whole_batch(features, encoder), (1,))
    hidden = encoder.hidden(**batch.inputs)
    with FlopCounterMode(display=False) as counter:
        head.loss(hidden, batch)
    assert head.count_flops(batch) == counter.get_total_flops() > 0


def test_softmax_after_trimming_runs_over_the_remaining_rows(encoder):
    torch.manual_seed(1)
    features = make_text_features(encoder, 16)
    model = peer(AutoModelForMaskedLM, encoder, MLMHead(encoder), {})
    encoder.trim_vocabulary(np.unique(features.ids))
    head = MLMHead(encoder)
    batch = head.prepare(whole_batch(features, encoder), (1,))
    chosen = batch.token_targets["token"] != IGNORE
    with torch.inference_mode():
        # A replacement may be the padding token, and transformers would not count its position.
        positions = encoder.first_position + torch.arange(batch.ids.shape[1])[None]
        logits = model(**inputs(batch), position_ids=positions).logits[chosen][:, torch.from_numpy(encoder.active_ids)]
        expected = cross_entropy(logits, encoder.find_rows(batch.token_targets["token"][chosen]), reduction="sum")
        torch.testing.assert_close(head.loss(encoder.hidden(**batch.inputs), batch), expected)


def test_sub_words_are_masked_replaced_or_unchanged_in_berts_shares(encoder, batch):
    masked = MLMHead(encoder).prepare(batch, (2,))
    target = masked.token_targets["token"]
    chosen = target != IGNORE
    ordinary = batch.mask & ~torch.isin(batch.ids, torch.tensor(encoder.tokenizer.specials))
    assert not (chosen & ~ordinary).any()
    assert torch.equal(target[chosen], batch.ids[chosen])
    assert torch.equal(masked.ids[~chosen], batch.ids[~chosen])
    fates = {
        0.8: masked.ids[chosen] == encoder.tokenizer.mask,
        0.1: masked.ids[chosen] == batch.ids[chosen],  # and a replacement that happens to be the same
    }
    assert binomtest(int(chosen.sum()), int(ordinary.sum()), 0.15).pvalue > 0.001
    for share, fate in fates.items():
        assert binomtest(int(fate.sum()), len(fate), share).pvalue > 0.001


def test_mask_of_a_sequence_depends_on_the_seed_and_not_on_the_batch(encoder):
    head, texts = MLMHead(encoder), make_text_features(encoder, 30)

    def masked(chosen, seed) -> dict[int, list[int]]:
        batch = head.prepare(collate(texts, np.array(chosen), encoder.tokenizer.pad), seed)
        return {s: ids[mask].tolist() for s, ids, mask in zip(batch.sequences, batch.ids, batch.mask, strict=True)}

    whole = masked(range(30), (3, 7))
    assert whole == masked([5, 1, 2], (3, 7)) | masked([0, 4, 3, *range(6, 30)], (3, 7))
    assert all(whole != masked(range(30), seed) for seed in ((3, 8), (4, 7)))


def test_replacements_are_ids_that_remain_after_trimming(encoder, batch):
    encoder.trim_vocabulary(torch.unique(batch.ids).numpy())
    head = MLMHead(encoder)
    for seed in range(3):
        masked = head.prepare(batch, (seed,))
        assert np.isin(masked.ids.numpy(), encoder.active_ids).all()
        encoder.find_rows(masked.ids)
    assert head.bias.shape == (encoder.embedding_count,)


def test_batch_without_masked_sub_words_has_no_loss(encoder):
    head, batch = MLMHead(encoder), whole_batch(make_text_features(encoder, 2), encoder)
    batch.token_targets["token"] = torch.full_like(batch.ids, IGNORE)
    batch.targets["position"] = torch.zeros(0, dtype=torch.long)
    assert head.count_terms(batch) == 0
    assert head.loss(encoder.hidden(**batch.inputs), batch) == 0


def test_long_texts_are_split_without_loss(tokenizer):
    texts = ["river bridge " * 20, "the old market", ""]
    features = mlm.make_features([TextExample(str(i), "en", text) for i, text in enumerate(texts)], tokenizer, 16)
    assert features.lengths.max() == 16
    assert features.truncation == Truncation(inputs=3, split=1)
    ordinary = features.ids[~np.isin(features.ids, [tokenizer.cls, tokenizer.sep])]
    assert ordinary.tolist() == [piece for pieces in tokenizer.unique_pieces(texts) for piece in pieces]
    assert set(features.example) == {0, 1}  # an empty text has nothing to predict
