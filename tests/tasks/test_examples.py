import pytest

from stilts_core.tasks.examples import (
    ChoiceExample,
    PairExample,
    Passage,
    RetrievalSet,
    SpanExample,
    TaggingExample,
    input_texts,
    texts_of_inputs,
)

SET = RetrievalSet("de", (Passage("q", "frage"),), (Passage("c", "answer"),), {})


@pytest.mark.parametrize(
    "item, texts",
    [
        (PairExample("0", "de", "a", "b", "x", ""), ["a", "b"]),
        (PairExample("0", "de", "a", "a", None, ""), ["a"]),
        (ChoiceExample("0", "de", "c", "cause", ("x", "y"), 1, ""), ["c", "x", "y"]),
        (TaggingExample("0", "de", ("w", "v"), ("T", "U"), ""), ["w v"]),
        (SpanExample("0", "de", "q", "c", ((0, "c"),), ""), ["c", "q"]),
        (SET, ["frage"]),
        (SpanExample("0", "de", " ", "c", None, ""), ["c"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_texts_of_an_input_have_no_label(item, texts):
    assert input_texts(item) == texts


def test_text_that_several_items_share_comes_once():
    items = [SpanExample(str(i), "de", f"q{i}", "context", None, "") for i in range(3)]
    texts = texts_of_inputs(items, "de")
    assert [text.text for text in texts] == ["context", "q0", "q1", "q2"]
    assert len({text.id for text in texts}) == 4
