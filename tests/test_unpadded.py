import json
import shutil

import pytest
import torch
from transformers import AutoModel

from stilts_core.encoder import load_encoder
from stilts_core.unpadded import Packing

LENGTHS = torch.tensor([7, 1, 12, 5])


def packing(lengths=LENGTHS) -> Packing:
    return Packing(torch.arange(int(lengths.max())) < lengths[:, None])


def test_flattening_leaves_out_the_padding_alone():
    pack = packing()
    padded = torch.randn(4, 12, 3)
    flat = pack.flatten(padded)
    assert torch.equal(flat, torch.cat([row[:length] for row, length in zip(padded, LENGTHS, strict=True)]))
    assert torch.equal(pack.pad(flat), padded * pack.mask[..., None])


def test_every_sequence_starts_where_the_last_one_ended_and_counts_from_zero():
    pack = packing()
    assert pack.starts.tolist() == [0, 7, 8, 20, 25]
    assert pack.columns.tolist() == [position for length in LENGTHS.tolist() for position in range(length)]


def test_a_batch_without_padding_is_not_copied():
    pack = packing(torch.tensor([6, 6]))
    padded = torch.randn(2, 6, 3)
    assert pack.full and pack.flatten(padded).data_ptr() == padded.data_ptr()


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def other_activation(request, tmp_path):
    """An encoder whose activation has no layer of ours: transformers' own layers run, with our attention."""
    folder = tmp_path / "encoder"
    shutil.copytree(request.getfixturevalue(request.param), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    return folder


def test_layers_of_transformers_give_the_same_states_and_gradients_without_the_padding(other_activation):
    encoder = load_encoder(str(other_activation), dropout=0.0)
    theirs = AutoModel.from_pretrained(other_activation, add_pooling_layer=False).eval()
    mask = packing().mask
    ids = torch.randint(5, 200, mask.shape, generator=torch.Generator().manual_seed(0))
    ids[~mask] = encoder.tokens.pad
    weight = torch.randn(*mask.shape, encoder.hidden_size) * mask[..., None]
    expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    states = encoder.hidden(ids, mask)
    torch.testing.assert_close(states[mask], expected[mask])
    (expected * weight).sum().backward()
    (states * weight).sum().backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in encoder.model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-4, atol=1e-4, msg=name)
