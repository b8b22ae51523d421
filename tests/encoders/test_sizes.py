"""The sizes of encoders: operations, parameters and memory against PyTorch's own counts."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import DistilBertConfig, XLMRobertaConfig, XLMRobertaModel

from stilts_core.encoders.encoder import read_encoder
from stilts_core.encoders.sizes import KNOWN_SIZES, TRAINING_BYTES, XLMR_BASE, XLMR_LARGE, EncoderSizes
from stilts_core.errors import EncoderError
from stilts_core.runs.encoders import read_sizes
from stilts_core.training.loop import build_optimiser
from stilts_core.training.schedule import Schedule

SMALL = EncoderSizes(layers=3, hidden_size=64, feed_forward=256, vocabulary=100, positions=130)
SEQUENCES, LENGTH = 8, 32


def make_model(sizes: EncoderSizes, device: str = "cpu") -> XLMRobertaModel:
    config = XLMRobertaConfig(
        vocab_size=sizes.vocabulary,
        max_position_embeddings=sizes.positions,
        type_vocab_size=1,
        hidden_size=sizes.hidden_size,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.hidden_size // 16,
        intermediate_size=sizes.feed_forward,
        attn_implementation="eager",
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.device(device):
        return XLMRobertaModel(config, add_pooling_layer=False)


@pytest.mark.parametrize("length", [16, 128])
def test_operations_equal_those_that_pytorch_counts(length):
    model, ids = make_model(SMALL), torch.randint(5, SMALL.vocabulary, (4, length))
    tokens, squares = 4 * length, 4 * length**2
    with FlopCounterMode(display=False) as forward:
        hidden = model(ids).last_hidden_state
    assert forward.get_total_flops() == pytest.approx(SMALL.count_flops(tokens, squares), rel=0.01)
    with FlopCounterMode(display=False) as backward:
        hidden.sum().backward()
    training = forward.get_total_flops() + backward.get_total_flops()
    assert training == pytest.approx(3 * SMALL.count_flops(tokens, squares), rel=0.05)


def test_operations_of_training_are_six_for_each_weight_and_sub_word_where_inputs_are_short():
    weights = XLMR_LARGE.layers * XLMR_LARGE.matrices
    assert 3 * XLMR_LARGE.count_flops(1e6, 0) == 6 * weights * 1e6


def test_operations_of_the_masked_lm_head_equal_those_that_pytorch_counts():
    dense, decoder = torch.nn.Linear(64, 64), torch.nn.Linear(64, SMALL.vocabulary)
    with FlopCounterMode(display=False) as counted:
        decoder(dense(torch.randn(7, 64)))
    assert counted.get_total_flops() == SMALL.count_decoder_flops(7)


@pytest.mark.parametrize("sizes", [SMALL, XLMR_BASE, XLMR_LARGE])
def test_parameters_equal_those_of_the_model(sizes):
    model = make_model(sizes, "meta")
    assert sizes.parameters == sum(parameter.numel() for parameter in model.parameters())


def test_training_keeps_sixteen_bytes_for_each_parameter(tiny_xlmr):
    encoder = read_encoder(tiny_xlmr)
    optimiser = build_optimiser(encoder.model, Schedule(epochs=1, lr=1e-3, batch_size=1, seed=0))
    for parameter in encoder.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    tensors = [tensor for p in encoder.model.parameters() for tensor in (p, p.grad)]
    tensors += [value for state in optimiser.state.values() for value in state.values() if value.numel() > 1]
    kept = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    assert kept == pytest.approx(TRAINING_BYTES * encoder.parameters, rel=1e-3)
    assert read_sizes(str(tiny_xlmr)).count_training_bytes(0, mixed_precision=False) == pytest.approx(kept, rel=1e-3)


def test_each_layer_keeps_as_many_bytes_as_pytorch_saves_for_its_gradient():
    """With fused attention and without dropout, whose masks take one byte a dimension twice."""
    three, six = (saved_bytes(make_model(SMALL._replace(layers=layers))) for layers in (3, 6))
    fixed = TRAINING_BYTES * SMALL.parameters
    kept = SMALL.count_training_bytes(SEQUENCES * LENGTH, mixed_precision=False) - fixed
    masks = 2 * 2 * SEQUENCES * LENGTH * SMALL.layers * SMALL.hidden_size
    assert six - three == pytest.approx(kept - masks, rel=0.02)


def saved_bytes(model: XLMRobertaModel) -> int:
    """The bytes of all tensors that a forward pass saves for its gradient, without the weights."""
    model.set_attn_implementation("sdpa")
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    saved: dict[int, torch.Tensor] = {}

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        if (place := tensor.untyped_storage().data_ptr()) not in weights:
            saved[place] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        hidden = model(torch.randint(5, SMALL.vocabulary, (SEQUENCES, LENGTH))).last_hidden_state
    assert hidden.requires_grad
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())


def test_sizes_of_an_encoder_are_read_from_its_folder_or_known_by_name(tiny_xlmr):
    encoder = read_encoder(tiny_xlmr)
    config = encoder.model.config
    assert read_sizes(str(tiny_xlmr)) == EncoderSizes(
        encoder.layers, encoder.hidden_size, config.intermediate_size, encoder.vocabulary_size,
        config.max_position_embeddings,
    )  # fmt: skip
    assert read_sizes("FacebookAI/xlm-roberta-large") == XLMR_LARGE == KNOWN_SIZES["FacebookAI/xlm-roberta-large"]
    assert read_sizes("lab") == EncoderSizes(3, 64, 128, 2500, 256)


def test_sizes_of_a_distilbert_have_names_of_their_own(tmp_path):
    DistilBertConfig(n_layers=2, dim=32, hidden_dim=64, n_heads=2, vocab_size=90).save_pretrained(tmp_path)
    assert read_sizes(str(tmp_path)) == EncoderSizes(2, 32, 64, 90, 512)


def test_encoder_of_unknown_sizes_is_an_error_that_names_the_remedy(tmp_path):
    with pytest.raises(EncoderError, match=r"sizes of encoder 'someone/unknown' are not known .* config\.json"):
        read_sizes("someone/unknown")
    (tmp_path / "config.json").write_text('{"model_type": "bert", "num_hidden_layers": 2}')
    with pytest.raises(EncoderError, match="hidden_size None"):
        read_sizes(str(tmp_path))
