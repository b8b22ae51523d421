from itertools import pairwise, product

import numpy as np
import pytest
import torch
from peer import assert_same_step, inputs, peer, whole_batch
from toy import examples, features, setting
from transformers import AutoModelForQuestionAnswering

from stilts_core.batching import IGNORE, Cut, Features, collate
from stilts_core.families import span
from stilts_core.families.span import MAX_ANSWER, MAX_QUESTION, STRIDE, SpanExample, SpanPrediction
from stilts_core.sources.load import available_languages, load

NAMES = ("old", "river", "bridge", "market", "water", "rose", "night", "flood")


def question(context: str, *answers: tuple[int, str], text: str = "who rose") -> SpanExample:
    return SpanExample("0", "en", text, context, answers, "0")


def long_context(words: int) -> str:
    """Words that are all different, so that a text is at one place only."""
    return " ".join(f"{name}{number}" for number, name in zip(range(words), NAMES * words, strict=False))


def context_pieces(columns: Features) -> list[np.ndarray]:
    """For every window, the characters (begin, stop) of its sub-words of the context."""
    both = np.stack([columns.token_targets["begin"], columns.token_targets["stop"]], axis=1)
    return [rows[rows[:, 0] != IGNORE] for rows in np.split(both, columns.starts[1:-1])]


def right_logits(columns: Features) -> np.ndarray:
    """Logits that are sure of every window's targets."""
    logits = np.zeros((len(columns.ids), 2))
    for side, name in enumerate(("start", "end")):
        logits[columns.starts[:-1] + columns.targets[name], side] = 10
    return logits


def test_loss_and_gradients_are_those_of_transformers(encoder):
    """One window at a time, because transformers lets the softmax run over padding."""
    head, columns = span.head(encoder, setting("squad")), features(encoder, "squad", 6)
    layers = {"scorer": "qa_outputs"}
    theirs = peer(AutoModelForQuestionAnswering, encoder, head, layers)
    alone = [collate(columns, np.array([index]), encoder.tokens.pad) for index in range(6)]
    places = [{"start_positions": one.targets["start"], "end_positions": one.targets["end"]} for one in alone]
    loss = sum(theirs(**inputs(one), **place).loss for one, place in zip(alone, places, strict=True)) / 6
    assert (columns.targets["start"] > 0).all()
    assert_same_step(encoder, head, whole_batch(columns, encoder), theirs, loss, layers)


@pytest.mark.parametrize(("words", "max_length"), [(5, 384), (60, 384), (200, 384), (200, 512), (200, 40)])
def test_windows_cover_the_context_and_neighbours_share_the_stride(tokens, words, max_length):
    context = long_context(words)
    columns = span.features([question(context)], tokens, setting("squad", max_length=max_length))
    (pieces,) = tokens.unique_encodings([context])
    windows = context_pieces(columns)
    room = max_length - tokens.pair_overhead - len(tokens.unique_pieces(["who rose"])[0])
    shared = min(STRIDE, room // 2)
    assert columns.lengths.max() <= max_length
    assert [len(window) for window in windows[:-1]] == [room] * (len(windows) - 1)
    for earlier, later in pairwise(windows):
        assert earlier[-shared:].tolist() == later[:shared].tolist()
    fresh = [windows[0], *(window[shared:] for window in windows[1:])]
    assert all(len(window) for window in fresh)
    assert np.concatenate(fresh).tolist() == [list(offset) for offset in pieces.offsets]
    assert columns.cut == Cut(inputs=1, split=int(len(windows) > 1))


def test_input_is_the_pair_as_the_tokenizer_encodes_it(tokens):
    given = examples("squad", 5)
    columns = span.features(given, tokens, setting("squad"))
    expected = tokens.encode([e.question for e in given], [e.context for e in given])
    assert columns.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    for example, window in zip(given, context_pieces(columns), strict=True):
        assert "".join(example.context[a:b].strip() for a, b in window) == example.context.replace(" ", "")


def test_unknown_sub_word_in_the_question_is_not_taken_for_the_context(tokens):
    example = question("old ☃ river", (6, "river"), text="who ☃ rose")
    columns = span.features([example], tokens, setting("squad"))
    assert (columns.ids == tokens.unk).sum() == 2
    assert span.decode(right_logits(columns), columns, [example], setting("squad")) == ["river"]


@pytest.mark.parametrize("max_length", [24, 48, 256])
def test_long_question_leaves_half_of_the_room_to_the_context_and_is_counted(tokens, max_length):
    asked = "water market " * 70
    example = question("old river", (4, "river"), text=asked)
    columns = span.features([example], tokens, setting("squad", max_length=max_length))
    kept = min(MAX_QUESTION, (max_length - tokens.pair_overhead) // 2)
    assert columns.lengths.max() <= max_length
    assert columns.cut == Cut(inputs=1, cut=1, tokens_lost=len(tokens.unique_pieces([asked])[0]) - kept)
    assert span.n_best(right_logits(columns), columns, [example])[0].text() == "river"


def test_answer_is_found_again_wherever_it_stands(tokens):
    context = long_context(150)
    words = context.split()
    chosen = setting("squad", max_length=128)
    for index in range(0, 150, 7):
        answer = " ".join(words[index : index + 2])
        example = question(context, (context.index(answer), answer))
        columns = span.features([example], tokens, chosen)
        assert (columns.targets["start"] > 0).any()
        assert span.decode(right_logits(columns), columns, [example], chosen) == [answer]


def test_first_sub_word_is_the_target_of_windows_without_the_answer(tokens):
    context = long_context(150)
    answered, unanswerable = question(context, (0, context.split()[0])), question(context)
    columns = span.features([answered, unanswerable], tokens, setting("squad_v2", max_length=128))
    held = columns.targets["end"] > 0
    assert held.sum() == 1 and held[0]
    assert (columns.targets["start"][~held] == 0).all()


def test_best_answers_are_those_of_a_search_through_all_spans(tokens):
    """Every start and every end is among the best that are considered, because no window has more of them."""
    rng = np.random.default_rng(0)
    given = [question(" ".join(rng.permutation(NAMES).tolist())) for _ in range(20)]
    columns = span.features(given, tokens, setting("squad", max_length=14))
    assert columns.cut.split == 20
    outputs = rng.normal(size=(len(columns.ids), 2)).astype(np.float32)
    parts, pieces = np.split(outputs, columns.starts[1:-1]), context_pieces(columns)
    begins = np.split(columns.token_targets["begin"], columns.starts[1:-1])
    alone = span.n_best(outputs, columns, given, 1)
    for index, best in enumerate(span.n_best(outputs, columns, given)):
        assert alone[index] == SpanPrediction(best.answers[:1], best.null_margin)
        found, none = {}, []
        for window in np.flatnonzero(columns.example == index):
            (start, end), places = parts[window].T, pieces[window]
            none.append(start[0] + end[0])
            inside = np.flatnonzero(begins[window] != IGNORE)
            for a, b in product(range(len(places)), repeat=2):
                text = given[index].context[places[a, 0] : places[b, 1]].strip()
                if a <= b < a + MAX_ANSWER and text:
                    found[text] = max(found.get(text, -np.inf), float(start[inside[a]] + end[inside[b]]))
        ranked = sorted(found.items(), key=lambda item: -item[1])
        assert [text for text, _ in best.answers[:5]] == [text for text, _ in ranked[:5]]
        assert best.answers[0][1] == pytest.approx(ranked[0][1])
        assert best.null_margin == pytest.approx(min(none) - ranked[0][1], abs=1e-5)


def test_answer_is_not_longer_than_allowed(tokens):
    example = question(long_context(40))
    columns = span.features([example], tokens, setting("squad"))
    outputs = np.zeros((len(columns.ids), 2))
    (first, *_, last) = np.flatnonzero(columns.token_targets["begin"] != IGNORE)
    outputs[first, 0] = outputs[last, 1] = 10
    (best,) = span.n_best(outputs, columns, [example])
    longest = max(len(tokens.unique_pieces([text])[0]) for text, _ in best.answers)
    assert longest <= MAX_ANSWER
    assert best.answers[0][1] == 10


def test_no_answer_is_given_where_it_beats_the_best_by_more_than_the_threshold():
    prediction = SpanPrediction((("river", 4.0), ("old river", 3.0)), null_margin=1.5)
    assert [prediction.text(threshold) for threshold in (1.0, 1.5, 2.0, np.inf)] == ["", "river", "river", "river"]
    assert SpanPrediction((), np.inf).text() == ""


def test_only_tasks_with_unanswerable_questions_answer_nothing(tokens):
    example = question("old river")
    columns = span.features([example], tokens, setting("squad"))
    outputs = np.zeros((len(columns.ids), 2))
    outputs[0] = 5
    assert span.decode(outputs, columns, [example], setting("squad")) != [""]
    assert span.decode(outputs, columns, [example], setting("squad_v2")) == [""]
    assert span.decode(outputs, columns, [example], setting("squad_v2", threshold=11.0)) != [""]


def test_padding_is_neither_start_nor_end(encoder):
    head, columns = span.head(encoder, setting("squad")), features(encoder, "squad", 4)
    batch, longer = (whole_batch(columns, encoder) for _ in range(2))
    for name in ("ids", "mask", "types"):
        setattr(longer, name, torch.nn.functional.pad(getattr(longer, name), (0, 20)))
    longer.places = longer.mask.flatten().nonzero().squeeze(1)
    losses = [head.loss(encoder.hidden(**one.inputs), one) for one in (batch, longer)]
    torch.testing.assert_close(*losses)


def test_mistakes_are_answers_that_are_none_of_the_right_ones():
    given = [question("old river", (4, "river"), (0, "old river")), question("old river")]
    assert list(span.mistakes(given, ["old river", ""])) == []
    assert [m[2:] for m in span.mistakes(given, ["old", "river"])] == [("river", "old"), ("(no answer)", "river")]


def test_right_logits_answer_real_questions_in_every_language(stilts_data, pieces):
    """What is missed are answers of more than MAX_ANSWER sub-words, and answers that end within a sub-word."""
    chosen = setting("xquad", max_length=384)
    for language in available_languages("xquad", data=stilts_data):
        given = load("xquad", "test", language, data=stilts_data).items
        columns = span.features(given, pieces, chosen)
        predictions = span.decode(right_logits(columns), columns, given, chosen)
        assert span.grade(given, predictions, chosen, language).metrics["exact_match"] > 98.5
        for example, text in zip(given, predictions, strict=True):
            ((_, right), *_) = example.answers
            assert right in text or len(pieces.unique_pieces([right])[0]) > MAX_ANSWER
