import marshal

import pytest

from stilts_core.laboratory import generator
from stilts_core.laboratory.disk_cache import cached_examples
from stilts_core.storage.cache import write_entry
from stilts_core.tasks.examples import ChoiceExample, PairExample, SpanExample, TaggingExample, TextExample


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))
    return tmp_path / "laboratory"


EXAMPLES = [
    SpanExample("1", "en", "Who?", "Anna sang.", ((0, "Anna"), (5, "sang")), "1"),
    TaggingExample("1", "qbe", ("a", "b"), None, "1"),
    TaggingExample("1", "qbe", ("a", "b"), ("X", "Y"), "1"),
    PairExample("1", "qbe", "夜", "\u2028", "entailment", "1"),
    ChoiceExample("1", "en", "context", "cause", ("a", "b"), None, "1"),
    TextExample("1", "en", "text"),
]


def recorded(calls, *examples):
    """A function that returns the examples, and records each of its calls."""
    return lambda: calls.append(None) or list(examples)


def test_examples_are_generated_once_for_a_key_and_read_back_equal():
    span = SpanExample("1", "en", "Who?", "Anna sang.", ((0, "Anna"),), "1")
    calls = []
    for key in ("a", "a", "b", "a"):
        assert cached_examples(recorded(calls, span), SpanExample, key, (1, 2)) == [span]
    assert len(calls) == 2


@pytest.mark.parametrize("content", [b"", b"(", b"no examples", marshal.dumps([("1",)]), b"\0" * 100])
def test_damaged_file_is_replaced(cache, content):
    tagged = TaggingExample("1", "qbe", ("a", "b"), None, "1")
    calls = []
    for _ in range(2):
        assert cached_examples(recorded(calls, tagged), TaggingExample) == [tagged]
    (path,) = cache.iterdir()
    path.write_bytes(content)
    for _ in range(2):
        assert cached_examples(recorded(calls, tagged), TaggingExample) == [tagged]
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["pawsx", "xcopa", "panx", "tydiqa"])
def test_numbers_select_examples_of_a_part(name):
    whole = generator.load(name, "test", "qlu", examples=30).items
    assert generator.load(name, "test", "qlu", numbers=(3, 17, 29)).items == [whole[3], whole[17], whole[29]]
    assert generator.load(name, "test", "qlu", examples=30).items == whole


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: type(example).__name__)
def test_every_type_of_example_is_read_back_equal_and_hashable(example):
    for _ in range(2):
        (cached,) = cached_examples(lambda: [example], type(example), repr(example))
        assert cached == example and hash(cached) == hash(example)


@pytest.mark.parametrize(
    "name, language", [("tatoeba", "qlu"), ("bucc2018", "qlu"), ("lareqa", "qlu"), ("lareqa", "mul")]
)
def test_retrieval_set_is_generated_once_and_read_back_equal(name, language, monkeypatch):
    made = generator.load(name, "test", language, examples=4).items
    monkeypatch.setattr(generator, "_retrieval_sets", lambda *_: pytest.fail("generated again"))
    read = generator.load(name, "test", language, examples=4).items
    assert read == made
    assert [list(each.gold) for each in read] == [list(each.gold) for each in made]


def test_damaged_retrieval_set_is_replaced(cache, capsys):
    (made,) = generator.load("tatoeba", "test", "qlu", examples=4).items
    (path,) = cache.iterdir()
    write_entry(path, [["qlu", [], [["1"]], []]])
    assert generator.load("tatoeba", "test", "qlu", examples=4).items == [made]
    assert "holds other values" in capsys.readouterr().err


def test_entry_with_another_number_of_fields_is_replaced(cache, capsys):
    text = TextExample("1", "en", "text")
    cached_examples(lambda: [text], TextExample)
    (path,) = cache.iterdir()
    write_entry(path, [["1", "en"]])
    assert cached_examples(lambda: [text], TextExample) == [text]
    assert len(capsys.readouterr().err.splitlines()) == 1
