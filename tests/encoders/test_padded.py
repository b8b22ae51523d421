"""Types that transformers' own layers compute; the oracles are transformers' own models, and the full vocabulary."""

import numpy as np
import pytest
import torch
from tiny_encoders import MODELS
from toy import make_auxiliary_task, make_features, make_training_task
from transformers import AutoModel, AutoModelForMaskedLM

from stilts_core.encoders.encoder import Encoder
from stilts_core.errors import EncoderError
from stilts_core.families.features import used_ids
from stilts_core.families.mlm import MLMHead
from stilts_core.runs.encoders import load_encoder, read_limits
from stilts_core.runs.prediction import predict
from stilts_core.training.compute import Compute
from stilts_core.training.loop import train
from stilts_core.training.schedule import Schedule

TEXTS = ["Who built the bridge?", "夜里河水上涨，早晨老桥已经不见了。", "Der Fluss", "a"]
FAMILIES = ("mnli", "hellaswag", "udpos", "squad", "lareqa")


@pytest.fixture(params=MODELS)
def folder(request, tiny_encoder, one_thread):
    return tiny_encoder(request.param)


@pytest.fixture
def encoder(folder) -> Encoder:
    return load_encoder(str(folder), dropout=0.0)


def padded(encoder: Encoder, texts=TEXTS, pairs=TEXTS[::-1]):
    """The ids, mask and types of encoded pairs of texts, padded on the right."""
    encodings = encoder.tokenizer.encode(list(texts), list(pairs))
    width = max(len(encoding.ids) for encoding in encodings)

    def pad(rows, value):
        return torch.tensor([row + [value] * (width - len(row)) for row in rows])

    ids = pad([encoding.ids for encoding in encodings], encoder.tokenizer.pad)
    mask = pad([[True] * len(encoding.ids) for encoding in encodings], False)
    return ids, mask, pad([encoding.type_ids for encoding in encodings], 0)


def as_inputs(encoder: Encoder, ids, mask, types) -> dict[str, torch.Tensor]:
    """Arguments of transformers' model: only ELECTRA and RemBERT have token types here."""
    typed = {"token_type_ids": types} if encoder.kind in ("electra", "rembert") else {}
    return {"input_ids": ids, "attention_mask": mask.long(), **typed}


def step(encoder: Encoder, batch, count: int = 1) -> None:
    """Train a few steps towards a fixed state."""
    trained = [parameter for parameter in encoder.model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(trained, lr=0.05)
    ids, mask, types = batch
    for _ in range(count):
        loss = (encoder.hidden(ids, mask, types)[mask] - 1).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


@torch.inference_mode()
def test_hidden_states_equal_those_of_transformers(folder, encoder):
    ids, mask, types = padded(encoder)
    theirs = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    expected = theirs(**as_inputs(encoder, ids, mask, types), output_hidden_states=True).hidden_states
    assert len(expected) == encoder.layers + 1 == 4
    assert read_limits(str(folder)).layers == 3
    for layer, (states, ours) in enumerate(zip(expected, encoder.hidden_states(ids, mask, types), strict=True)):
        torch.testing.assert_close(ours[mask], states[mask])
        torch.testing.assert_close(encoder.hidden(ids, mask, types, layer=layer), ours)
        assert not ours[~mask].any()


@torch.inference_mode()
def test_padding_does_not_change_hidden_states(encoder):
    ids, mask, types = padded(encoder)
    batch = encoder.hidden(ids, mask, types)
    for row in range(len(ids)):
        length = int(mask[row].sum())
        alone = encoder.hidden(ids[row : row + 1, :length], mask[row : row + 1, :length], types[row : row + 1, :length])
        torch.testing.assert_close(alone[0], batch[row, :length])


def test_too_long_inputs_and_missing_layers_are_errors(encoder):
    ids = torch.full((1, encoder.max_length + 1), encoder.tokenizer.cls)
    with pytest.raises(EncoderError, match=r"has 129 sub-words, but .* takes 128 at most"):
        encoder.hidden(ids, torch.ones_like(ids, dtype=torch.bool))
    with pytest.raises(EncoderError, match="hidden states 0 to 3; there is no 4"):
        encoder.hidden(*padded(encoder), layer=4)


def test_gradients_reach_all_parameters_also_in_bf16(encoder):
    ids, mask, types = padded(encoder)
    exact = encoder.hidden(ids, mask, types)
    exact.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in encoder.model.parameters())
    encoder.model.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = encoder.hidden(ids, mask, types)
    rounded.square().mean().backward()
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().max() < 0.03 * exact.abs().max()
    assert all(parameter.grad.isfinite().all() for parameter in encoder.model.parameters())


def test_trimmed_training_equals_full_training_and_survives_saving(folder, encoder, tmp_path):
    full, batch = load_encoder(str(folder), dropout=0.0), padded(encoder)
    before = encoder.hidden(*batch)
    encoder.trim_vocabulary(batch[0].unique().numpy())
    assert encoder.embedding_count < encoder.vocabulary_size
    assert torch.equal(encoder.hidden(*batch), before)
    step(encoder, batch, 2)
    step(full, batch, 2)
    trained = encoder.hidden(*batch)
    torch.testing.assert_close(trained, full.hidden(*batch))
    torch.testing.assert_close(encoder.expand_embeddings(), full.expand_embeddings())
    later = load_encoder(str(folder), dropout=0.0)  # the next phase, with other sub-words
    later.restore(encoder.model.state_dict(), encoder.trimmed_ids, 1.0)
    later.trim_vocabulary(batch[0].unique().numpy())
    torch.testing.assert_close(later.hidden(*batch), trained)
    encoder.save(tmp_path / "saved")
    assert torch.equal(load_encoder(str(tmp_path / "saved"), dropout=0.0).hidden(*batch), trained)
    theirs, report = AutoModel.from_pretrained(tmp_path / "saved", output_loading_info=True)
    assert not {name for names in report.values() for name in names if "pooler" not in name}
    states = theirs.eval()(**as_inputs(encoder, *batch)).last_hidden_state
    torch.testing.assert_close(states[batch[1]], trained[batch[1]])


def test_frozen_layers_stay_as_they_are_and_the_others_learn(encoder):
    batch = padded(encoder)
    encoder.freeze(2)
    before = [states.detach().clone() for states in encoder.hidden_states(*batch)]
    step(encoder, batch)
    after = list(encoder.hidden_states(*batch))
    if encoder.kind != "deberta-v2":  # its layers share the embeddings of relative positions, which learn
        assert all(torch.equal(one, other) for one, other in zip(before[:3], after[:3], strict=True))
    assert not torch.equal(before[3], after[3])
    frozen = {name for name, parameter in encoder.model.named_parameters() if not parameter.requires_grad}
    assert encoder.embeddings_name in frozen
    encoder.freeze(encoder.layers)
    assert not any(parameter.requires_grad for parameter in encoder.model.parameters())
    encoder.freeze(None)
    assert all(parameter.requires_grad for parameter in encoder.model.parameters())


@torch.inference_mode()
def test_mlm_head_computes_the_logits_of_transformers(folder, encoder):
    ids, mask, types = padded(encoder)
    logits = MLMHead(encoder)(encoder.hidden(ids, mask, types), None)
    assert logits.shape == (*ids.shape, encoder.vocabulary_size)
    if encoder.kind == "rembert":  # its output matrix is not its input embeddings
        assert encoder.read_mlm_head() is None
        assert "starts from a new head" in encoder.notes[0]
        return
    theirs = AutoModelForMaskedLM.from_pretrained(folder).eval()
    expected = theirs(**as_inputs(encoder, ids, mask, types)).logits
    torch.testing.assert_close(logits[mask], expected[mask])


@pytest.mark.parametrize("trimmed", [False, True])
def test_all_families_train_a_step_and_predict(encoder, trimmed):
    features = {name: make_features(encoder, name, 4, max_length=64) for name in FAMILIES}
    text = make_auxiliary_task(encoder, "mlm", 4)
    if trimmed:
        encoder.trim_vocabulary(used_ids(text.features, *features.values()))
        text = make_auxiliary_task(encoder, "mlm", 4)
    tasks = [make_training_task(encoder, name, 4, max_length=64) for name in FAMILIES]
    schedule = Schedule(epochs=1, lr=1e-3, batch_size=4, seed=0)
    phase = train(encoder, [*tasks, text], schedule, title="", compute=Compute())
    assert phase.steps > len(tasks)
    for task in tasks:
        outputs = predict(encoder, task.head, features[task.name], Compute())
        assert np.isfinite(outputs).all() and len(outputs)


def test_languages_that_xlm_was_pretrained_with_are_left_out_and_said(tiny_encoder):
    encoder = load_encoder(str(tiny_encoder("xlm")))
    assert "embedding of each text's language, which is left out" in encoder.notes[0]
    assert not any("lang_embeddings" in name for name, _ in encoder.model.named_parameters())


def test_dropout_replaces_that_of_embeddings_and_layers(folder):
    model = load_encoder(str(folder), dropout=0.3).model.train()
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates <= {0.3}
    ids = torch.arange(5, 25)[None]
    with torch.no_grad():
        assert not torch.equal(model(ids).last_hidden_state, model(ids).last_hidden_state)
