"""The low-resource sets: further languages of XNLI, UD POS, PAN-X and XCOPA."""

import json

import pytest

from stilts_core.errors import DataError, DataNotFound
from stilts_core.sources.publishers import available_languages, load
from stilts_core.tasks.catalogue import TASKS

AMERICAS = "id\tlanguage\tpremise\thypothesis\tlabel\n"


def read_columns(path, separator: str) -> list[list[str]]:
    return [line.split(separator) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


@pytest.mark.parametrize("name", [name for name, row in TASKS.items() if "lowres" in row.languages])
def test_every_language_of_the_row_is_found_and_no_other(data, name):
    assert set(available_languages(name, data=data)) == set(TASKS[name].languages["lowres"])


def test_empty_premises_of_nahuatl_are_dropped_and_counted_and_one_more_is_an_error(data, put):
    examples = load("americasnli", "test", "nah", data=data)
    assert (len(examples.items), examples.dropped) == (735, {"empty sentence": 3})
    assert len(load("americasnli", "test", "quy", data=data).items) == 750
    rows = "".join(f"{number}\tnah\t \tb\tneutral\n" for number in range(4))
    root = put("lowres/americasnli/test/nah.tsv", AMERICAS + rows)
    with pytest.raises(DataError, match=r"nah.tsv, line 5: 'premise' is empty"):
        load("americasnli", "test", "nah", data=root)


def test_items_of_americasnli_have_the_publishers_ids(put):
    root = put("lowres/americasnli/test/gn.tsv", AMERICAS + "25051\tgn\tPeteĩ\tMokõi\tcontradiction\n")
    (item,) = load("americasnli", "test", "gn", data=root).items
    assert (item.id, item.text_a, item.text_b, item.label) == ("25051", "Peteĩ", "Mokõi", "contradiction")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (AMERICAS + "1\tquy\ta\tb\tneutral\n", r"line 2: the language is 'quy'; put the file of 'gn' in its place"),
        (AMERICAS.replace("id", "ID") + "1\tgn\ta\tb\tneutral\n", r"line 2: no id in 'id'"),
        (AMERICAS + "1\tgn\ta\tb\tneutral\n\n", r"line 3: the line is empty; remove it"),
    ],
)
def test_faulty_file_of_americasnli_is_named(put, content, message):
    root = put("lowres/americasnli/test/gn.tsv", content)
    with pytest.raises(DataError, match=f"gn.tsv, {message}"):
        load("americasnli", "test", "gn", data=root)


def test_labels_of_burmese_and_korean_xnli_are_the_english_ones_line_by_line(data):
    english = load("xnli", "test", "en", data=data).items
    for code in ("my", "ko"):
        items = load("xnli_lowres", "test", code, data=data).items
        assert [(item.id, item.label) for item in items] == [(item.id, item.label) for item in english]


@pytest.mark.parametrize(("name", "folder"), [("masakhapos", "masakhapos"), ("masakhaner", "masakhaner2")])
def test_every_token_of_masakhane_is_read_and_dates_become_o(data, name, folder):
    for code, publisher in (("sw", "swa"), ("yo", "yor")):
        rows = read_columns(data / "lowres" / folder / publisher / "test.txt", " ")
        items = load(name, "test", code, data=data).items
        expected = [(word, "O" if "DATE" in tag else tag) for word, tag in rows]
        assert [pair for item in items for pair in zip(item.words, item.tags, strict=True)] == expected
        assert (name == "masakhaner") == any("DATE" in tag for _, tag in rows)


def test_file_with_tabs_instead_of_spaces_is_named(put):
    root = put("lowres/masakhapos/zul/test.txt", "Umfula NOUN\nugeleza\tVERB\n")
    with pytest.raises(DataError, match=r"zul/test.txt, line 2: .* is not a word, a space and a tag"):
        load("masakhapos", "test", "zu", data=root)


def test_treebank_is_read_as_xtremes(put):
    root = put("lowres/udpos/test-ceb.tsv", "Mamalit\tVERB\nsila\tPRON\n\n")
    (item,) = load("udpos_lowres", "test", "ceb", data=root).items
    assert (item.words, item.tags) == (("Mamalit", "sila"), ("VERB", "PRON"))


def test_copa_in_korean_and_in_two_registers_of_indonesian(put):
    row = {"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "label": 1, "idx": 0}
    for name in ("ko", "id-local", "id-local-colloquial"):
        root = put(f"lowres/xcopa/test.{name}.jsonl", json.dumps(row | {"premise": name}))
    contexts = {
        (name, code): load(name, "test", code, data=root).items[0].context
        for name in ("copa_lowres", "copal_colloquial")
        for code in available_languages(name, data=root)
    }
    assert contexts == {
        ("copa_lowres", "ko"): "ko",
        ("copa_lowres", "id"): "id-local",
        ("copal_colloquial", "id"): "id-local-colloquial",
    }
    with pytest.raises(DataNotFound, match=r"has no 'sw'; choose one of ko, id"):
        load("copa_lowres", "test", "sw", data=root)
