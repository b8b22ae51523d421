import json
import shutil

import pytest
import torch
from transformers import AutoModel

from stilts_core.encoders.packing import Packing
from stilts_core.runs.encoders import load_encoder

LENGTHS = torch.tensor([7, 1, 12, 5])


def make_packing(lengths=LENGTHS) -> Packing:
    return Packing(torch.arange(int(lengths.max())) < lengths[:, None])


def test_packing_removes_only_the_padding():
    packing = make_packing()
    padded = torch.randn(4, 12, 3)
    packed = packing.pack(padded)
    assert torch.equal(packed, torch.cat([row[:length] for row, length in zip(padded, LENGTHS, strict=True)]))
    assert torch.equal(packing.pad(packed), padded * packing.mask[..., None])


def test_sequences_lie_end_to_end_and_columns_count_from_zero():
    packing = make_packing()
    assert packing.starts.tolist() == [0, 7, 8, 20, 25]
    assert packing.columns.tolist() == [position for length in LENGTHS.tolist() for position in range(length)]


def test_batch_without_padding_is_not_copied():
    packing = make_packing(torch.tensor([6, 6]))
    padded = torch.randn(2, 6, 3)
    assert packing.full and packing.pack(padded).data_ptr() == padded.data_ptr()


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def other_activation(request, tmp_path):
    """An encoder with an activation that CpuLayer does not compute: transformers' layers run, with our attention."""
    folder = tmp_path / "encoder"
    shutil.copytree(request.getfixturevalue(request.param), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"hidden_act": "relu"}))
    return folder


def test_packed_and_padded_layers_of_transformers_give_equal_states_and_gradients(other_activation):
    encoder = load_encoder(str(other_activation), dropout=0.0)
    theirs = AutoModel.from_pretrained(other_activation, add_pooling_layer=False).eval()
    mask = make_packing().mask
    ids = torch.randint(5, 200, mask.shape, generator=torch.Generator().manual_seed(0))
    ids[~mask] = encoder.tokenizer.pad
    weight = torch.randn(*mask.shape, encoder.hidden_size) * mask[..., None]
    expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    states = encoder.hidden(ids, mask)
    torch.testing.assert_close(states[mask], expected[mask])
    (expected * weight).sum().backward()
    (states * weight).sum().backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parameter in encoder.model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-4, atol=1e-4, msg=name)
