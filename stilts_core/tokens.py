"""Tokenizers: from texts, or words, to the sub-word ids that an encoder reads."""

import json
from functools import cache, cached_property
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from stilts_core.cache import cache_folder, checksum, written_whole
from stilts_core.packaged import EncoderError

# cls, sep, pad, mask, unk in XLM-R and in BERT
SPECIAL_TOKENS = (("<s>", "</s>", "<pad>", "<mask>", "<unk>"), ("[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"))

KEPT = 1  # raise it when other things are kept of a tokenizer
CHUNK = 10_000  # texts encoded at a time: an Encoding is many times the size of its ids


class Tokens:
    """A tokenizer that neither truncates nor pads.

    `cls`, `sep`, `pad`, `mask` and `unk` are the ids of the special tokens, `specials` all five; `blank` is the id of
    the bare "▁" (None in BERT); `single_overhead` and `pair_overhead` count the special tokens round one and two texts;
    `fingerprint` is the SHA-256 of the tokenizer's file. The special tokens are kept in the cache folder, and the file
    is loaded when the first text is encoded: a run whose features are kept as well can do without it. Raises
    EncoderError where special tokens are missing.
    """

    def __init__(self, path: Path):
        self.path = path
        self.fingerprint = checksum(path)
        kept = cache_folder() / "tokenizers" / f"{KEPT}-{self.fingerprint[:32]}.json"
        if not kept.exists():
            with written_whole(kept) as part:
                part.write_text(json.dumps(_special_tokens(self.tokenizer)))
        specials, self.blank, self._single, self._pair = json.loads(kept.read_text())
        self.cls, self.sep, self.pad, self.mask, self.unk = self.specials = tuple(specials)
        self.single_overhead, self.pair_overhead = _overhead(self._single), _overhead(self._pair)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer itself, of the library `tokenizers`."""
        tokenizer = Tokenizer.from_file(str(self.path))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return tokenizer

    def encode(self, texts: list[str], pairs: list[str] | None = None) -> list[Encoding]:
        """Encode texts, or pairs of texts, with special tokens; an Encoding has ids, type_ids, offsets."""
        return self.tokenizer.encode_batch(list(texts) if pairs is None else list(zip(texts, pairs, strict=True)))

    def unique_encodings(self, texts: list[str]) -> list[Encoding]:
        """Encode texts without special tokens; equal texts are encoded once and share their Encoding."""
        unique = list(dict.fromkeys(texts))
        encodings = dict(zip(unique, self.tokenizer.encode_batch(unique, add_special_tokens=False), strict=True))
        return [encodings[text] for text in texts]

    def unique_pieces(self, texts: list[str]) -> list[list[int]]:
        """The sub-word ids of texts without special tokens; equal texts are encoded once and share their list."""
        unique, pieces = list(dict.fromkeys(texts)), {}
        for part in (unique[start : start + CHUNK] for start in range(0, len(unique), CHUNK)):
            encodings = self.tokenizer.encode_batch_fast(part, add_special_tokens=False)
            pieces.update(zip(part, (encoding.ids for encoding in encodings), strict=True))
        return [pieces[text] for text in texts]

    def encode_words(self, sentences: list[list[str]]) -> list[list[list[int]]]:
        """The sub-word ids of every word of every sentence, without special tokens.

        A word may begin with the bare "▁", and has no sub-words if the normaliser removes all its characters.
        """
        encodings = self.tokenizer.encode_batch(
            [list(words) for words in sentences], is_pretokenized=True, add_special_tokens=False
        )
        split = [[[] for _ in words] for words in sentences]
        for words, encoding in zip(split, encodings, strict=True):
            for word, piece in zip(encoding.word_ids, encoding.ids, strict=True):
                words[word].append(piece)
        return split

    def build(self, ids_a: list[int], ids_b: list[int] | None = None) -> tuple[list[int], list[int]]:
        """Put the special tokens round the sub-word ids of one or two texts: (ids, token types)."""
        texts, ids, types = (ids_a, ids_b), [], []
        for text, special, type_id in self._single if ids_b is None else self._pair:
            part = special if text is None else texts[text]
            ids += part
            types += [type_id] * len(part)
        return ids, types


@cache
def read_tokens(folder: Path) -> Tokens:
    """The tokenizer in an encoder's folder. Raises EncoderError if there is no `tokenizer.json`."""
    path = folder / "tokenizer.json"
    if not path.exists():
        raise EncoderError(
            f"{folder} has no tokenizer.json; write it with transformers: "
            f"AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained({str(folder)!r})"
        )
    return Tokens(path)


def _special_tokens(tokenizer: Tokenizer) -> tuple:
    """The ids of the special tokens, that of the bare "▁", and the templates of one text and of two."""
    ids = [[tokenizer.token_to_id(name) for name in names] for names in SPECIAL_TOKENS]
    specials = next((found for found in ids if None not in found), None)
    if specials is None:
        known = " or ".join(" ".join(names) for names in SPECIAL_TOKENS)
        raise EncoderError(f"the tokenizer lacks special tokens; it should have {known}")
    single, pair = _template(tokenizer.encode("a")), _template(tokenizer.encode("a", "a"))
    return specials, tokenizer.token_to_id("▁"), single, pair


def _template(encoding: Encoding) -> list[tuple[int | None, list[int], int]]:
    """An encoded example as runs (text, ids, token type); text is 0 or 1, or None for special tokens."""
    pieces = zip(encoding.sequence_ids, encoding.ids, encoding.type_ids, strict=True)
    runs = [(text, list(run)) for text, run in groupby(pieces, itemgetter(0))]
    return [(text, [piece for _, piece, _ in run], run[0][2]) for text, run in runs]


def _overhead(template: list[tuple[int | None, list[int], int]]) -> int:
    return sum(len(ids) for text, ids, _ in template if text is None)
