import bz2
import gzip
import io
import lzma

import pandas
import pytest

from stilts_core.errors import DataError
from stilts_core.sources.rows import (
    BrokenLine,
    comma_separated,
    json_lines,
    lines,
    percentile,
    read_text,
    tsv,
)
from stilts_core.sources.tagged_files import tagged_sentences


def test_wrong_encoding_names_file_line_and_byte(tmp_path):
    path = tmp_path / "latin.tsv"
    path.write_bytes("plain\ncafé\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin.tsv, line 2: byte 0xe9 is not UTF-8; .*iconv"):
        read_text(path, "latin.tsv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(b"a\tb\n"), r"is a gzip file; put its content there under this name \(gunzip -c\)"),
        (bz2.compress(b"a\tb\n"), r"is a bzip2 file; .* \(bunzip2 -c\)"),
        (lzma.compress(b"a\tb\n"), r"is a xz file; .* \(unxz -c\)"),
        (b"PK\x03\x04\x14\0\0\0", r"is a zip file; .* \(unzip -p\)"),
        ("a\tb\n".encode("utf-32"), r"is UTF-32; convert the file \(iconv -f utf-32 -t utf-8\)"),
        (b"\0\0\xfe\xff" + "a\n".encode("utf-32-be"), r"is UTF-32; convert the file"),
        ("a\tb\n".encode("utf-16"), r"is UTF-16; convert the file \(iconv -f utf-16 -t utf-8\)"),
    ],
    ids=["gzip", "bzip2", "xz", "zip", "UTF-32 little-endian", "UTF-32 big-endian", "UTF-16"],
)
def test_packed_file_and_other_encoding_are_named(tmp_path, content, message):
    path = tmp_path / "x.tsv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^x.tsv {message}"):
        read_text(path, "x.tsv")


def test_empty_line_is_named():
    with pytest.raises(DataError, match=r"x.jsonl, line 2: the line is empty; remove it"):
        list(json_lines('{"a": 1}\n\n', "x.jsonl"))
    for text in ("p\th\tl\n\n", "p\th\n\n"):
        _, empty = tsv(text, "x.tsv", ("premise", "hypothesis", "label"))
        with pytest.raises(BrokenLine, match=r"x.tsv, line 2: the line is empty; remove it"):
            empty.text("premise")


def test_byte_order_mark_and_carriage_returns_are_removed(tmp_path):
    path = tmp_path / "windows.txt"
    path.write_bytes(b"\xef\xbb\xbfQuality\r\n1\r\n")
    assert lines(read_text(path, "windows.txt")) == ["Quality", "1"]


def test_only_newlines_end_a_line():
    assert lines("one\x1cstill one\u2028still\ntwo") == ["one\x1cstill one\u2028still", "two"]


def test_truncated_json_names_the_line():
    with pytest.raises(DataError, match=r"x.jsonl, line 2: invalid JSON .*cut off"):
        list(json_lines('{"a": 1}\n{"a": ', "x.jsonl"))


def test_missing_column_is_an_error_that_lists_the_columns():
    (row,) = tsv("sentence1\tgold_label\nA dog.\tneutral\n", "x.tsv")
    with pytest.raises(BrokenLine, match=r"x.tsv, line 2: no column 'sentence2', only sentence1, gold_label"):
        row.text("sentence2")


def test_too_many_columns_are_an_error():
    with pytest.raises(DataError, match=r"x.tsv, line 2: 3 columns; expected 2 \(a, b\)"):
        list(tsv("1\t2\n1\t2\t3\n", "x.tsv", ("a", "b")))


def test_blind_file_without_labels_gives_none():
    rows = list(tsv("p\th\nq\ti\n", "test-de.tsv", ("premise", "hypothesis", "label")))
    assert [row["label"] for row in rows] == [None, None]
    assert [row.label("label", ("yes", "no")) for row in rows] == [None, None]


def test_csv_with_quoted_newlines_reads_as_pandas_reads_it():
    text = 'id,text,label\n1,"two\nlines, and ""quotes""",0\n2,plain,1\n'
    ours = [dict(row) for row in comma_separated(text, "x.csv")]
    assert ours == pandas.read_csv(io.StringIO(text), dtype=str).to_dict("records")


def test_open_quotation_in_csv_is_an_error():
    with pytest.raises(DataError, match=r"x.csv, line 2: .*close the open quotation"):
        list(comma_separated('id,text\n1,"never closed\n', "x.csv"))


@pytest.mark.parametrize("text", ["a\tX\nb\tY\n\nc\tX", "\n\na\tX\nb\tY\n\n\n\nc\tX\n\n", "a\tX\nb\tY\n \nc\tX\n"])
def test_any_number_of_blank_lines_separates_sentences(text):
    sentences = list(tagged_sentences(text, "x.tsv"))
    assert [row["words"] for row in sentences] == [["a", "b"], ["c"]]
    assert [row["tags"] for row in sentences] == [["X", "Y"], ["X"]]


@pytest.mark.parametrize("tag", ["\tX", ""])
def test_lost_and_doubled_empty_lines_of_sentences_are_an_error(tag):
    words = [f"word{tag}\n"] * 60
    with pytest.raises(DataError, match=r"^x.tsv: all its 60 words are one sentence; put an empty line after each"):
        list(tagged_sentences("".join(words), "x.tsv"))
    with pytest.raises(DataError, match=r"^x.tsv: each of its 60 sentences has one word; remove the empty lines"):
        list(tagged_sentences("\n".join(words), "x.tsv"))
    assert len(list(tagged_sentences("".join([*words, "\n", *words]), "x.tsv"))) == 2
    assert len(list(tagged_sentences("\n".join(words[:19]), "x.tsv"))) == 19


def test_sentence_is_named_by_the_line_of_its_first_word():
    assert [row.line for row in tagged_sentences("a\tX\n\n\nb\tY\n", "x.tsv")] == [1, 4]


@pytest.mark.parametrize("line", ["word", "\tX", "word\tX\tY"])
def test_line_that_is_not_word_and_tag_is_named(line):
    with pytest.raises(DataError, match=r"x.tsv, line 2: .* is not a word, a tab and a tag"):
        list(tagged_sentences(f"a\tX\n{line}\n", "x.tsv"))


def test_file_without_tags_is_a_blind_part():
    assert [row["tags"] for row in tagged_sentences("a\nb\n\nc\n", "x.tsv")] == [None, None]


def test_shares_of_a_hash_split_are_disjoint_complete_and_near_their_size():
    groups = [f"group {i}" for i in range(4000)]
    dev = {group for group in groups if percentile(group) >= 90}
    train = {group for group in groups if percentile(group) < 90}
    assert dev | train == set(groups) and not dev & train
    # Binomial with n = 4000, p = .1: five standard deviations are 95
    assert abs(len(dev) - 400) < 95
