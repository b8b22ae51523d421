from itertools import pairwise, product

import numpy as np
import pytest
import torch
from peer import assert_same_step, inputs, peer, whole_batch
from toy import make_examples, make_features, make_setting
from transformers import AutoModelForQuestionAnswering

from stilts_core.families import span
from stilts_core.families.batches import collate
from stilts_core.families.features import IGNORE, Features, Truncation
from stilts_core.families.span import MAX_ANSWER, MAX_QUESTION, STRIDE, SpanPrediction
from stilts_core.sources.publishers import available_languages, load
from stilts_core.tasks.examples import SpanExample

NAMES = ("old", "river", "bridge", "market", "water", "rose", "night", "flood")


def question(context: str, *answers: tuple[int, str], text: str = "who rose") -> SpanExample:
    return SpanExample("0", "en", text, context, answers, "0")


def long_context(words: int) -> str:
    """Words that are all different, so that every text occurs once only."""
    return " ".join(f"{name}{number}" for number, name in zip(range(words), NAMES * words, strict=False))


def context_pieces(features: Features) -> list[np.ndarray]:
    """For each window, the characters (begin, stop) of its sub-words of the context."""
    both = np.stack([features.token_targets["begin"], features.token_targets["stop"]], axis=1)
    return [rows[rows[:, 0] != IGNORE] for rows in np.split(both, features.starts[1:-1])]


def perfect_logits(features: Features) -> np.ndarray:
    """Logits that are largest at the targets of each window."""
    logits = np.zeros((len(features.ids), 2))
    for side, name in enumerate(("start", "end")):
        logits[features.starts[:-1] + features.targets[name], side] = 10
    return logits


def test_loss_and_gradients_equal_transformers(encoder):
    """One window at a time, because the softmax of transformers includes padding."""
    head, features = span.new_head(encoder, make_setting("squad")), make_features(encoder, "squad", 6)
    layers = {"scorer": "qa_outputs"}
    model = peer(AutoModelForQuestionAnswering, encoder, head, layers)
    windows = [collate(features, np.array([index]), encoder.tokenizer.pad) for index in range(6)]
    losses = [
        model(**inputs(one), start_positions=one.targets["start"], end_positions=one.targets["end"]).loss
        for one in windows
    ]
    assert (features.targets["start"] > 0).all()
    assert_same_step(encoder, head, whole_batch(features, encoder), model, sum(losses) / 6, layers)


@pytest.mark.parametrize(("words", "max_length"), [(5, 384), (60, 384), (200, 384), (200, 512), (200, 40)])
def test_windows_cover_the_context_and_neighbours_share_the_stride(tokenizer, words, max_length):
    context = long_context(words)
    features = span.make_features([question(context)], tokenizer, make_setting("squad", max_length=max_length))
    (pieces,) = tokenizer.unique_encodings([context])
    windows = context_pieces(features)
    room = max_length - tokenizer.pair_overhead - len(tokenizer.unique_pieces(["who rose"])[0])
    shared = min(STRIDE, room // 2)
    assert features.lengths.max() <= max_length
    assert [len(window) for window in windows[:-1]] == [room] * (len(windows) - 1)
    for earlier, later in pairwise(windows):
        assert earlier[-shared:].tolist() == later[:shared].tolist()
    fresh = [windows[0], *(window[shared:] for window in windows[1:])]
    assert all(len(window) for window in fresh)
    assert np.concatenate(fresh).tolist() == [list(offset) for offset in pieces.offsets]
    assert features.truncation == Truncation(inputs=1, split=int(len(windows) > 1))


def test_features_equal_the_pairs_encoded_by_the_tokenizer(tokenizer):
    examples = make_examples("squad", 5)
    features = span.make_features(examples, tokenizer, make_setting("squad"))
    expected = tokenizer.encode([e.question for e in examples], [e.context for e in examples])
    assert features.ids.tolist() == [piece for encoding in expected for piece in encoding.ids]
    for example, window in zip(examples, context_pieces(features), strict=True):
        assert "".join(example.context[a:b].strip() for a, b in window) == example.context.replace(" ", "")


def test_unknown_sub_word_in_the_question_is_not_mistaken_for_the_context(tokenizer):
    example = question("old ☃ river", (6, "river"), text="who ☃ rose")
    features = span.make_features([example], tokenizer, make_setting("squad"))
    assert (features.ids == tokenizer.unk).sum() == 2
    assert span.decode(perfect_logits(features), features, [example], make_setting("squad")) == ["river"]


@pytest.mark.parametrize("max_length", [24, 48, 256])
def test_long_question_leaves_half_of_the_room_to_the_context(tokenizer, max_length):
    text = "water market " * 70
    example = question("old river", (4, "river"), text=text)
    features = span.make_features([example], tokenizer, make_setting("squad", max_length=max_length))
    longest = min(MAX_QUESTION, (max_length - tokenizer.pair_overhead) // 2)
    assert features.lengths.max() <= max_length
    assert features.truncation == Truncation(
        inputs=1, cut=1, tokens_lost=len(tokenizer.unique_pieces([text])[0]) - longest
    )
    assert span.find_n_best(perfect_logits(features), features, [example])[0].text() == "river"


def test_answer_at_any_position_is_decoded(tokenizer):
    context = long_context(150)
    words = context.split()
    setting = make_setting("squad", max_length=128)
    for index in range(0, 150, 7):
        answer = " ".join(words[index : index + 2])
        example = question(context, (context.index(answer), answer))
        features = span.make_features([example], tokenizer, setting)
        assert (features.targets["start"] > 0).any()
        assert span.decode(perfect_logits(features), features, [example], setting) == [answer]


def test_target_of_windows_without_the_answer_is_the_first_sub_word(tokenizer):
    context = long_context(150)
    answered, unanswerable = question(context, (0, context.split()[0])), question(context)
    features = span.make_features([answered, unanswerable], tokenizer, make_setting("squad_v2", max_length=128))
    has_answer = features.targets["end"] > 0
    assert has_answer.sum() == 1 and has_answer[0]
    assert (features.targets["start"][~has_answer] == 0).all()


def test_best_answers_equal_a_search_through_all_spans(tokenizer):
    """No window has more starts or ends than are considered, so every span is."""
    rng = np.random.default_rng(0)
    examples = [question(" ".join(rng.permutation(NAMES).tolist())) for _ in range(20)]
    features = span.make_features(examples, tokenizer, make_setting("squad", max_length=14))
    assert features.truncation.split == 20
    outputs = rng.normal(size=(len(features.ids), 2)).astype(np.float32)
    window_logits, pieces = np.split(outputs, features.starts[1:-1]), context_pieces(features)
    begins = np.split(features.token_targets["begin"], features.starts[1:-1])
    best_only = span.find_n_best(outputs, features, examples, 1)
    for index, best in enumerate(span.find_n_best(outputs, features, examples)):
        assert best_only[index] == SpanPrediction(best.answers[:1], best.null_margin)
        scores, null_scores = {}, []
        for window in np.flatnonzero(features.example == index):
            (start, end), characters = window_logits[window].T, pieces[window]
            null_scores.append(start[0] + end[0])
            inside = np.flatnonzero(begins[window] != IGNORE)
            for a, b in product(range(len(characters)), repeat=2):
                text = examples[index].context[characters[a, 0] : characters[b, 1]].strip()
                if a <= b < a + MAX_ANSWER and text:
                    scores[text] = max(scores.get(text, -np.inf), float(start[inside[a]] + end[inside[b]]))
        expected = sorted(scores.items(), key=lambda item: -item[1])
        assert [text for text, _ in best.answers[:5]] == [text for text, _ in expected[:5]]
        assert best.answers[0][1] == pytest.approx(expected[0][1])
        assert best.null_margin == pytest.approx(min(null_scores) - expected[0][1], abs=1e-5)


def test_answer_has_at_most_the_allowed_length(tokenizer):
    example = question(long_context(40))
    features = span.make_features([example], tokenizer, make_setting("squad"))
    outputs = np.zeros((len(features.ids), 2))
    (first, *_, last) = np.flatnonzero(features.token_targets["begin"] != IGNORE)
    outputs[first, 0] = outputs[last, 1] = 10
    (best,) = span.find_n_best(outputs, features, [example])
    longest = max(len(tokenizer.unique_pieces([text])[0]) for text, _ in best.answers)
    assert longest <= MAX_ANSWER
    assert best.answers[0][1] == 10


def test_no_answer_is_predicted_if_it_beats_the_best_answer_by_more_than_the_threshold():
    prediction = SpanPrediction((("river", 4.0), ("old river", 3.0)), null_margin=1.5)
    assert [prediction.text(threshold) for threshold in (1.0, 1.5, 2.0, np.inf)] == ["", "river", "river", "river"]
    assert SpanPrediction((), np.inf).text() == ""


def test_no_answer_is_predicted_only_in_tasks_with_unanswerable_questions(tokenizer):
    example = question("old river")
    features = span.make_features([example], tokenizer, make_setting("squad"))
    outputs = np.zeros((len(features.ids), 2))
    outputs[0] = 5
    assert span.decode(outputs, features, [example], make_setting("squad")) != [""]
    assert span.decode(outputs, features, [example], make_setting("squad_v2")) == [""]


def test_padding_is_neither_start_nor_end(encoder):
    head, features = span.new_head(encoder, make_setting("squad")), make_features(encoder, "squad", 4)
    batch, longer = (whole_batch(features, encoder) for _ in range(2))
    for name in ("ids", "mask", "types"):
        setattr(longer, name, torch.nn.functional.pad(getattr(longer, name), (0, 20)))
    longer.flat_positions = longer.mask.flatten().nonzero().squeeze(1)
    losses = [head.loss(encoder.hidden(**one.inputs), one) for one in (batch, longer)]
    torch.testing.assert_close(*losses)


def test_mistakes_are_predictions_that_equal_no_right_answer():
    examples = [question("old river", (4, "river"), (0, "old river")), question("old river")]
    assert list(span.mistakes(examples, ["old river", ""])) == []
    assert [m[2:] for m in span.mistakes(examples, ["old", "river"])] == [("river", "old"), ("(no answer)", "river")]


def test_perfect_logits_answer_real_questions_in_every_language(stilts_data, xlmr_tokenizer):
    """Except answers of more than MAX_ANSWER sub-words, and answers that end within a sub-word."""
    setting = make_setting("xquad", max_length=384)
    for language in available_languages("xquad", data=stilts_data):
        examples = load("xquad", "test", language, data=stilts_data).items
        features = span.make_features(examples, xlmr_tokenizer, setting)
        predictions = span.decode(perfect_logits(features), features, examples, setting)
        assert span.score_predictions(examples, predictions, setting, language).metrics["exact_match"] > 98.5
        for example, text in zip(examples, predictions, strict=True):
            ((_, right), *_) = example.answers
            assert right in text or len(xlmr_tokenizer.unique_pieces([right])[0]) > MAX_ANSWER
