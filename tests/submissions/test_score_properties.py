"""Any content of gold and prediction files gives scores from 0 to 100 or a DataError; gold itself has the score 100."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stilts_core.errors import DataError
from stilts_core.scoring.bootstrap import bootstrap_metrics
from stilts_core.submissions.files import Form, form_of, suffixes
from stilts_core.submissions.score_file import score_file
from stilts_core.tasks.catalogue import TARGET_TASKS, get_task

FILES = [(name, suffix) for name in TARGET_TASKS for suffix in suffixes(get_task(name))]
QUICK = settings(
    deadline=None, max_examples=12, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

IDS = st.text('ab1-#é水"\\', min_size=1, max_size=3)
TEXTS = st.text("a1 \n\x00\ud83d٠\u2028", max_size=3)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.floats(), TEXTS,
    st.sampled_from(["0", "1", "NOUN", "neutral", "a", "b", "answers", "٠", "00"]),
)  # fmt: skip
NAMES = st.one_of(TEXTS, st.sampled_from(["idx", "label", "data", "paragraphs", "qas", "id", "a", "b"]))
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=8
)
CELLS = st.sampled_from(["0", "1", "2", "-1", "", " ", "\t", "\n", "NOUN", "O", "B-PER", "I-LOC", "neutral", "de-1",
                         "en-1", "٠", "null", '{"idx": 0, "label": 1}', "\r\n", "\u2028"])  # fmt: skip
CONTENTS = st.one_of(
    JSON.map(lambda value: json.dumps(value).encode()),
    st.lists(JSON, max_size=3).map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
    st.lists(CELLS, max_size=8).map(lambda cells: "".join(cells).encode()),
    st.lists(CELLS, max_size=4).map(lambda cells: "\n".join(cells).encode("utf-8-sig")),
    st.binary(max_size=20),
)


@st.composite
def questions(draw) -> bytes:
    """A file in SQuAD's form with any JSON in some of its places."""

    def anything_or(usual):
        return st.one_of(usual, usual, usual, JSON)

    answers = st.lists(st.fixed_dictionaries({"text": anything_or(IDS), "answer_start": SCALARS}), max_size=2)
    fields = {"id": anything_or(IDS), "question": anything_or(IDS), "answers": anything_or(answers)}
    paragraph = {"context": anything_or(IDS), "qas": anything_or(st.lists(st.fixed_dictionaries(fields), max_size=2))}
    article = st.fixed_dictionaries({"title": SCALARS, "paragraphs": st.lists(st.fixed_dictionaries(paragraph))})
    return json.dumps({"data": draw(st.lists(anything_or(article), max_size=2))}).encode()


RANKINGS = st.dictionaries(IDS | NAMES, st.lists(IDS | SCALARS, max_size=3), max_size=3)
OBJECTS = st.lists(st.fixed_dictionaries({"idx": SCALARS, "label": st.sampled_from([0, 1]) | SCALARS}), max_size=3)
ALMOST = st.one_of(
    questions(),
    RANKINGS.map(lambda rankings: json.dumps(rankings).encode()),
    st.dictionaries(IDS | NAMES, TEXTS | SCALARS, max_size=3).map(lambda a: json.dumps(a).encode()),
    OBJECTS.map(lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode()),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("files")


def score_contents(
    folder: Path, name: str, suffix: str, gold: bytes, predictions: bytes, **options
) -> dict[str, float]:
    paths = [folder / f"{side}{suffix}" for side in ("predictions", "gold")]
    for path, content in zip(paths, (predictions, gold), strict=True):
        path.write_bytes(content)
    estimates = bootstrap_metrics(score_file(get_task(name), "de", *paths, **options)[0])
    assert all(0 <= bound <= 100 for estimate in estimates.values() for bound in estimate.bounds)
    return {metric: estimate.score for metric, estimate in estimates.items()}


def assert_scores_or_data_error(*arguments, **options) -> None:
    try:
        metrics = score_contents(*arguments, **options)
    except DataError as error:
        assert str(error).encode()  # can be printed
    else:
        assert all(0 <= value <= 100 for value in metrics.values())


@pytest.mark.parametrize(("name", "suffix"), FILES)
@QUICK
@given(gold=CONTENTS | ALMOST, predictions=CONTENTS | ALMOST, partial=st.booleans())
def test_any_two_files_give_scores_or_a_data_error(folder, name, suffix, gold, predictions, partial):
    assert_scores_or_data_error(folder, name, suffix, gold, predictions, partial=partial)


def lines_of(elements) -> st.SearchStrategy[bytes]:
    return st.lists(elements, min_size=1, max_size=6).map(lambda rows: "".join(f"{row}\n" for row in rows).encode())


@st.composite
def valid_files(draw, name: str, suffix: str) -> tuple[bytes, bytes]:
    """A gold file, and the file of predictions that are all right."""
    task = get_task(name)
    match form_of(task):
        case Form.ANSWERS:
            words = st.text("abcdehk水ж", min_size=2, max_size=4).filter(lambda word: word not in ("an", "das", "de"))
            answers = draw(st.dictionaries(IDS, st.lists(words, min_size=1, max_size=3), min_size=1, max_size=4))
            qas = [
                {"id": key, "question": key, "answers": [{"answer_start": 0, "text": text} for text in texts]}
                for key, texts in answers.items()
            ]
            gold = {"data": [{"title": "t", "paragraphs": [{"context": "c", "qas": qas}]}]}
            return json.dumps(gold).encode(), json.dumps(
                {key: draw(st.sampled_from(t)) for key, t in answers.items()}
            ).encode()
        case Form.RANKINGS:
            ids = st.lists(IDS, min_size=1, max_size=25, unique=True)
            content = json.dumps(draw(st.dictionaries(IDS, ids, min_size=1, max_size=3))).encode()
        case Form.PAIRS:
            pairs = draw(
                st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=5, unique=True)
            )
            content = "".join(f"de-{query}\ten-{candidate}\n" for query, candidate in pairs).encode()
        case Form.TAGS:
            sentences = draw(st.lists(st.lists(st.sampled_from(task.labels), min_size=1), min_size=1, max_size=4))
            content = "".join("\n".join([*tags, "\n"]) for tags in [[task.labels[1]], *sentences]).encode()
        case Form.LABELS if suffix == ".jsonl":
            labels = draw(st.dictionaries(IDS, st.sampled_from([0, 1, "0", "1"]), min_size=1, max_size=4))
            rows = [json.dumps({"idx": key, "label": label}) + "\n" for key, label in labels.items()]
            return "".join(rows).encode(), "".join(draw(st.permutations(rows))).encode()
        case _:
            content = draw(lines_of(st.sampled_from(task.labels or (["0", "1"] if task.family == "choice" else ["0"]))))
    return content, content


@pytest.mark.parametrize(("name", "suffix"), FILES)
@QUICK
@given(data=st.data())
def test_predictions_that_are_all_right_score_100_and_a_changed_byte_at_most_that(folder, name, suffix, data):
    gold, predictions = data.draw(valid_files(name, suffix))
    assert set(score_contents(folder, name, suffix, gold, predictions).values()) == {100}
    place = data.draw(st.integers(0, len(predictions) - 1))
    for inserted in (b"", data.draw(st.binary(min_size=1, max_size=2))):
        changed = predictions[:place] + inserted + predictions[place + 1 :]
        assert_scores_or_data_error(folder, name, suffix, gold, changed, partial=True)
