import pytest
import torch
from peer import whole_batch
from toy import make_auxiliary, make_text_features

from stilts_core.families import auxiliary
from stilts_core.families.language import Discriminator, MMDHead
from stilts_core.families.mlm import MLMHead
from stilts_core.tasks.auxiliaries import AUXILIARIES


@pytest.mark.parametrize("name", AUXILIARIES)
def test_every_auxiliary_has_a_head_that_is_trained_with_a_weight(name, encoder):
    made = make_auxiliary(encoder, name, 12)
    head = made.new_head(encoder)
    batch = head.prepare(whole_batch(made.features, encoder), (1,))
    hidden = encoder.hidden(**batch.inputs)
    if head.contrastive:
        loss = head.contrastive_loss(head(hidden, batch), batch.targets)
    else:
        loss = head.weighted_loss(hidden, batch, 0.5)
    loss.backward()
    assert torch.isfinite(loss) and head.count_terms(batch) > 0
    assert encoder.model.embeddings.word_embeddings.weight.grad.abs().sum() > 0


def test_heads_read_the_level_and_the_layer_that_they_are_given(encoder):
    token = make_auxiliary(encoder, "reversal", 12, level="token", layer=1).new_head(encoder)
    assert isinstance(token, Discriminator) and not token.per_sequence and token.layer == 1
    assert make_auxiliary(encoder, "means", 12).new_head(encoder).layer is None


def test_reference_of_matching_is_english_where_english_is_shown(encoder):
    head = make_auxiliary(encoder, "mmd", 12).new_head(encoder)
    assert isinstance(head, MMDHead) and head.reference == 0
    features = make_text_features(encoder, 4)
    texts = [auxiliary.TextExample(str(i), "de" if i % 2 else "sw", "") for i in range(4)]
    assert auxiliary.make_auxiliary("mmd", texts, features).new_head(encoder).reference is None


def test_texts_are_counted_by_language_however_many_features_they_have(encoder):
    made = make_auxiliary(encoder, "reversal", 7)
    assert made.text_counts == {"en": 3, "de": 2, "sw": 2}


def test_masked_language_modelling_starts_from_the_head_of_the_checkpoint(encoder):
    made, head = make_auxiliary(encoder, "mlm", 12), MLMHead(encoder)
    started = made.new_head(encoder)
    assert isinstance(started, MLMHead) and torch.equal(started.dense.weight, head.dense.weight)
