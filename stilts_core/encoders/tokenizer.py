"""Tokenizers: from texts, or words, to the sub-word ids that an encoder takes."""

import hashlib
import json
from functools import cache, cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import cast

from tokenizers import Encoding, Tokenizer

from stilts_core.encoders.files import read_object, require_content
from stilts_core.errors import EncoderError
from stilts_core.storage.cache import cache_folder, checksum, read_entry, write_entry

# The roles of special tokens in `tokenizer_config.json` and `special_tokens_map.json`; without them the tokens are
# found as XLM-R and as BERT write them.
ROLES = ("cls_token", "sep_token", "pad_token", "mask_token", "unk_token")
SPECIAL_TOKENS = (("<s>", "</s>", "<pad>", "<mask>", "<unk>"), ("[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"))
CACHE_VERSION = 2  # raise it when the cached facts about a tokenizer change
CHUNK_TEXTS = 10_000  # texts encoded in one call: an Encoding takes many times the memory of its ids

# An encoded input as segments (text, ids, token type); `text` is 0 or 1, or None for special tokens.
Template = list[tuple[int | None, list[int], int]]


class EncoderTokenizer:
    """A tokenizer that neither truncates nor pads.

    `cls`, `sep`, `pad`, `mask` and `unk` are the ids of the special tokens, and `specials` holds all five. `blank` is
    the id of the bare "▁" (None in BERT). `single_overhead` and `pair_overhead` count the special tokens that are added
    to one text and to two texts, and `text_start` those before one text. `id_count` is the largest id + 1.
    `fingerprint` is the file's SHA-256, with the names of the special tokens where they are unusual.

    The cache folder stores these facts. The file itself is loaded when the first text is encoded, so a run whose
    features are cached as well does not load it. Raises EncoderError if the file is damaged, or special tokens are
    missing or not added to texts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fingerprint = checksum(require_content(path))
        self._names = _read_roles(path.parent)
        if self._names and self._names not in SPECIAL_TOKENS:
            self.fingerprint = hashlib.sha256(repr((self.fingerprint, self._names)).encode()).hexdigest()
        cached = cache_folder() / "tokenizers" / f"{CACHE_VERSION}-{self.fingerprint[:32]}.json"
        facts = read_entry(cached)
        if facts is None:
            write_entry(cached, facts := _describe(self.backend, self._names))
        specials, blank, single, pair, id_count = facts
        self.blank: int | None = blank
        self.id_count: int = id_count
        self._single: Template = single
        self._pair: Template = pair
        self.cls, self.sep, self.pad, self.mask, self.unk = self.specials = tuple(specials)
        if id_count <= len(self.specials):
            raise EncoderError(
                f"{path} knows no word, only {id_count} special tokens; copy tokenizer.json from the model that the "
                "encoder was trained from"
            )
        self.single_overhead, self.pair_overhead = _count_specials(self._single), _count_specials(self._pair)
        for inputs, overhead in (("one text", self.single_overhead), ("two texts", self.pair_overhead)):
            if not overhead:
                raise EncoderError(
                    f"{path} adds no special tokens to {inputs}, which its post_processor must do; copy tokenizer.json "
                    "from the model that the encoder was trained from, or add a TemplateProcessing with the library "
                    "tokenizers"
                )
        first, ids, _ = self._single[0]
        self.text_start = len(ids) if first is None else 0

    @cached_property
    def backend(self) -> Tokenizer:
        """The tokenizer of the library `tokenizers`."""
        try:
            return _without_limits(Tokenizer.from_file(str(self.path)))
        except Exception as error:  # the library raises no narrower class
            reason = " ".join(str(error).split())
            raise EncoderError(f"{self.path} is not a tokenizer ({reason}); download the encoder again") from error

    @cached_property
    def _word_backend(self) -> Tokenizer:
        """The tokenizer for texts that are already split into words.

        A byte-level tokenizer marks the space before a word, so each word needs one: transformers requires
        `add_prefix_space=True` here. Without it, every word would look like the middle of another. The same holds for a
        tokenizer whose normaliser writes "▁" for a space (Gemma's, which mmBERT has).
        """
        content = json.loads(self.backend.to_str())
        changed = _add_prefix_space(content.get("pre_tokenizer"))
        if _writes_blanks(content.get("normalizer")):
            prepend = {"type": "Prepend", "prepend": "▁"}
            content["normalizer"] = {"type": "Sequence", "normalizers": [prepend, content["normalizer"]]}
            changed = True
        return _without_limits(Tokenizer.from_str(json.dumps(content, allow_nan=False))) if changed else self.backend

    def encode(self, texts: list[str], pairs: list[str] | None = None) -> list[Encoding]:
        """Encode texts, or pairs of texts, with special tokens. An Encoding has ids, type_ids and offsets."""
        return self.backend.encode_batch(list(texts) if pairs is None else list(zip(texts, pairs, strict=True)))

    def unique_encodings(self, texts: list[str]) -> list[Encoding]:
        """Encode texts without special tokens. Equal texts are encoded once and share their Encoding."""
        unique = list(dict.fromkeys(texts))
        encodings = dict(zip(unique, self.backend.encode_batch(unique, add_special_tokens=False), strict=True))
        return [encodings[text] for text in texts]

    def unique_pieces(self, texts: list[str]) -> list[list[int]]:
        """The sub-word ids of texts without special tokens. Equal texts are encoded once and share their list."""
        unique = list(dict.fromkeys(texts))
        pieces: dict[str, list[int]] = {}
        for chunk in (unique[start : start + CHUNK_TEXTS] for start in range(0, len(unique), CHUNK_TEXTS)):
            encodings = self.backend.encode_batch_fast(chunk, add_special_tokens=False)
            pieces.update(zip(chunk, (encoding.ids for encoding in encodings), strict=True))
        return [pieces[text] for text in texts]

    def encode_words(self, sentences: list[list[str]]) -> list[list[list[int]]]:
        """The sub-word ids of every word of every sentence, without special tokens.

        A word may begin with the bare "▁". It has no sub-words if the normaliser removes all its characters.
        """
        encodings = self._word_backend.encode_batch(
            [list(words) for words in sentences], is_pretokenized=True, add_special_tokens=False
        )
        split: list[list[list[int]]] = [[[] for _ in words] for words in sentences]
        for words, encoding in zip(split, encodings, strict=True):
            word_ids = cast("list[int]", encoding.word_ids)  # None only for special tokens
            for word, piece in zip(word_ids, encoding.ids, strict=True):
                words[word].append(piece)
        return split

    def build(self, ids_a: list[int], ids_b: list[int] | None = None) -> tuple[list[int], list[int]]:
        """Add the special tokens to the sub-word ids of one or two texts. Returns (ids, token types)."""
        texts = (ids_a, ids_b or [])
        ids: list[int] = []
        types: list[int] = []
        for text, special, type_id in self._single if ids_b is None else self._pair:
            segment = special if text is None else texts[text]
            ids += segment
            types += [type_id] * len(segment)
        return ids, types


@cache
def read_tokenizer(folder: Path) -> EncoderTokenizer:
    """Read the tokenizer in an encoder's folder. Raises EncoderError if there is no `tokenizer.json`."""
    path = folder / "tokenizer.json"
    if not path.exists():
        raise EncoderError(
            f"{folder} has no tokenizer.json; copy it from the model that the encoder was trained from, or write it "
            f"with transformers: AutoTokenizer.from_pretrained(THAT MODEL).save_pretrained({str(folder)!r})"
        )
    return EncoderTokenizer(path)


def _without_limits(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer itself, which now neither truncates nor pads."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _add_prefix_space(step: dict | None) -> bool:
    """Let a pre-tokenizer, in the JSON of its file, put a space before the first word; whether that changed it."""
    if not step:
        return False
    if step.get("type") == "ByteLevel" and not step.get("add_prefix_space"):
        step["add_prefix_space"] = True
        return True
    return any([_add_prefix_space(part) for part in step.get("pretokenizers", [])])


def _writes_blanks(step: dict | None) -> bool:
    """Whether a normaliser, in the JSON of its file, replaces a space by "▁" and puts none before the first word."""
    if not step:
        return False
    steps = step.get("normalizers", [step])
    replaces = any(
        part.get("type") == "Replace" and part.get("pattern") == {"String": " "} and part.get("content") == "▁"
        for part in steps
    )
    return replaces and not any(part.get("type") == "Prepend" for part in steps)


def _read_roles(folder: Path) -> tuple[str, ...] | None:
    """The names of the special tokens as the files beside the tokenizer give them; None if one is not given."""
    named: dict[str, str] = {}
    for path in (folder / "special_tokens_map.json", folder / "tokenizer_config.json"):
        for role, token in (read_object(path) if path.exists() else {}).items():
            content = token.get("content") if isinstance(token, dict) else token
            if role in ROLES and isinstance(content, str):
                named[role] = content
    return tuple(named[role] for role in ROLES) if len(named) == len(ROLES) else None


def _describe(
    tokenizer: Tokenizer, names: tuple[str, ...] | None
) -> tuple[list[int], int | None, Template, Template, int]:
    """The ids of the special tokens, the id of the bare "▁", the templates of one and two texts, the largest id + 1."""
    single, pair = _find_template(tokenizer.encode("a")), _find_template(tokenizer.encode("a", "a"))
    id_count = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1
    return _find_specials(tokenizer, names), tokenizer.token_to_id("▁"), single, pair, id_count


def _find_specials(tokenizer: Tokenizer, given: tuple[str, ...] | None) -> list[int]:
    """The ids of cls, sep, pad, mask and unk, which may have names `given`. Raises EncoderError if one is missing."""
    for names in (given, *SPECIAL_TOKENS) if given else SPECIAL_TOKENS:
        ids = [piece for name in names if (piece := tokenizer.token_to_id(name)) is not None]
        if len(ids) == len(names):
            return ids
    expected = " or ".join(" ".join(names) for names in SPECIAL_TOKENS)
    raise EncoderError(f"the tokenizer lacks special tokens; expected {expected}")


def _find_template(encoding: Encoding) -> Template:
    """The segments of an encoded input."""
    pieces = zip(encoding.sequence_ids, encoding.ids, encoding.type_ids, strict=True)
    segments = [(text, list(segment)) for text, segment in groupby(pieces, itemgetter(0))]
    return [(text, [piece for _, piece, _ in segment], segment[0][2]) for text, segment in segments]


def _count_specials(template: Template) -> int:
    """The number of special tokens in a template."""
    return sum(len(ids) for text, ids, _ in template if text is None)
