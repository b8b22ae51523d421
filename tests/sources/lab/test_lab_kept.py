import pytest

from stilts_core.families.examples import SpanExample, TaggingExample
from stilts_core.sources import lab
from stilts_core.sources.lab.kept import kept


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))
    return tmp_path / "laboratory"


def counted(calls, *examples):
    return lambda: calls.append(None) or list(examples)


def test_examples_are_made_once_for_a_key_and_come_back_equal():
    span = SpanExample("1", "en", "Who?", "Anna sang.", ((0, "Anna"),), "1")
    calls = []
    for key in ("a", "a", "b", "a"):
        assert kept(counted(calls, span), SpanExample, key, (1, 2)) == [span]
    assert len(calls) == 2


@pytest.mark.parametrize("left", [b"", b"(", b"no examples", b"\xda\x01z"])
def test_damaged_file_is_made_anew(cache, left):
    tagged = TaggingExample("1", "qbe", ("a", "b"), None, "1")
    calls = []
    for _ in range(2):
        assert kept(counted(calls, tagged), TaggingExample) == [tagged]
    (path,) = cache.iterdir()
    path.write_bytes(left)
    for _ in range(2):
        assert kept(counted(calls, tagged), TaggingExample) == [tagged]
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["pawsx", "xcopa", "panx", "tydiqa"])
def test_numbers_choose_among_the_examples_of_a_part(name):
    whole = lab.load(name, "test", "qlu", examples=30).items
    assert lab.load(name, "test", "qlu", numbers=(3, 17, 29)).items == [whole[3], whole[17], whole[29]]
    assert lab.load(name, "test", "qlu", examples=30).items == whole
