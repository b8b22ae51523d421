"""Files that cannot be scored are refused with the file, the line or id, and the value; none gets a score of 0."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from stilts_core import cli
from stilts_core.errors import DataError, StiltsError
from stilts_core.submissions.files import locate_candidates, write_gold, write_predictions
from stilts_core.submissions.score import score_folders
from stilts_core.submissions.score_file import FEW_PAIRS, score_file
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.examples import PairExample, Passage, RetrievalSet, TaggingExample
from stilts_core.tasks.retrieval_sets import smaller_set


@pytest.fixture
def score(tmp_path):
    """Scores two texts as the gold labels and the predictions of a task, and returns its metrics."""

    def score_texts(name: str, gold: str | bytes, predictions: str | bytes, suffix="", partial=False):
        default = ".json" if get_task(name).family == "span" or get_task(name).metric == "map" else ".tsv"
        paths = []
        for side, content in (("predictions", predictions), ("gold", gold)):
            paths.append(tmp_path / side / name / f"test-de{suffix or default}")
            paths[-1].parent.mkdir(parents=True, exist_ok=True)
            paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
        return score_file(get_task(name), "de", *paths, partial=partial)[0].metrics

    return score_texts


def squad(*questions: tuple[str, object]) -> str:
    """A SQuAD file with these (id, answers)."""
    qas = [{"id": key, "question": f"who {n}?", "answers": answers} for n, (key, answers) in enumerate(questions)]
    return json.dumps({"data": [{"title": "t", "paragraphs": [{"context": "the old mill", "qas": qas}]}]})


def answer(text: object) -> list:
    return [{"text": text, "answer_start": 0}]


def xcopa(*rows: tuple[object, object]) -> str:
    return "".join(json.dumps({"idx": key, "label": label}) + "\n" for key, label in rows)


ANSWERS = '{"a": "mill", "b": "old"}'

WITHOUT_LABELS = {
    "xquad, answers removed": (
        "xquad",
        squad(("a", answer("")), ("b", answer(""))),
        ANSWERS,
        "no answer to 2 of 2",
    ),
    "xquad, one answer removed": (
        "xquad",
        squad(("a", answer("mill")), ("b", answer(""))),
        ANSWERS,
        "1 of 2 .* as b",
    ),
    "mlqa, blank answers": ("mlqa", squad(("a", answer(" "))), '{"a": "mill"}', "no answer to 1 of 1"),
    "tydiqa, no answers": ("tydiqa", squad(("a", []), ("b", [])), ANSWERS, "no answer to 2 of 2 questions, such as a"),
    "xquad, answers null": ("xquad", squad(("a", None)), '{"a": "mill"}', "gold/xquad/test-de.json"),
    "xquad, text null": ("xquad", squad(("a", answer(None))), '{"a": "mill"}', "question a: .*None"),
    "xquad, no questions": ("xquad", '{"data": []}', "{}", "empty"),
    "xnli, empty lines": ("xnli", "\n\n", "neutral\nneutral\n", "line 1: no label .*2 of 2 lines"),
    "xnli, one empty line": ("xnli", "neutral\n\n", "neutral\nneutral\n", "line 2: no label .*1 of 2 lines"),
    "pawsx, -1": ("pawsx", "-1\n-1\n", "0\n1\n", "no label .'-1'.; 2 of 2"),
    "pawsx, empty": ("pawsx", "", "0\n1\n", "empty"),
    "udpos, no tags": ("udpos", "\n\n", "NOUN\n\n", "gold/udpos/test-de.tsv: empty"),
    "udpos, underscores": ("udpos", "_\n\n", "NOUN\n\n", "gold/udpos.*line 1: no tag .'_'."),
    "udpos, words alone": ("udpos", "mill\n\n", "NOUN\n\n", "gold/udpos.*line 1: unknown tag 'mill'"),
    "panx, all O": ("panx", "O\nO\n\n", "O\nB-PER\n\n", "gold/panx.*every tag is O"),
    "tatoeba, -1": ("tatoeba", "-1\n-1\n", "0\n1\n", "no label .'-1'."),
    "bucc2018, no pairs": ("bucc2018", "", "de-1\ten-1\n", "empty"),
    "bucc2018, half pairs": ("bucc2018", "de-1\t\n", "de-1\ten-1\n", "gold/bucc2018.*line 1: .*not two ids"),
    "lareqa, no right candidate": ("lareqa", '{"q": []}', '{"q": ["a"]}', "gold/lareqa.*query q: no candidates"),
    "mewslix, no queries": ("mewslix", "{}", '{"q": ["a"]}', "gold/mewslix.*empty"),
    "mewslix, null": ("mewslix", '{"q": null}', '{"q": ["a"]}', "gold/mewslix.*id q: None"),
}


@pytest.mark.parametrize(("name", "gold", "predictions", "message"), WITHOUT_LABELS.values(), ids=WITHOUT_LABELS)
@pytest.mark.parametrize("partial", [False, True])
def test_gold_without_labels_has_no_score(score, name, gold, predictions, message, partial):
    with pytest.raises(DataError, match=message):
        score(name, gold, predictions, partial=partial)


@pytest.mark.parametrize("label", [None, -1, "-1", "", "null"])
def test_xcopa_gold_without_labels_has_no_score(score, label):
    with pytest.raises(DataError, match=r"gold/xcopa/test-de.jsonl, line 2: no label .*1 of 2 lines"):
        score("xcopa", xcopa((0, 1), (1, label)), xcopa((0, 1), (1, 0)), ".jsonl")
    with pytest.raises(DataError, match=r"line 1: no label \(None\)"):
        score("xcopa", '{"idx": 0}\n', xcopa((0, 1)), ".jsonl")


def test_gold_labels_of_a_blind_part_are_not_written(tmp_path):
    blind = [PairExample("0", "de", "a", "b", None, "0")], [TaggingExample("0", "de", ("a",), None, "0")]
    for name, examples in zip(("xnli", "udpos"), blind, strict=True):
        with pytest.raises(DataError, match=f"1 of 1 examples of {name} in 'de' have no gold labels"):
            write_gold(tmp_path, name, "de", examples)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["lareqa", "mewslix"])
def test_candidate_that_a_query_has_twice_is_an_error_on_both_sides(score, name):
    once, twice = '{"q1": ["a"]}', '{"q1": ["a", "b", "a"]}'
    with pytest.raises(DataError, match=rf"predictions/{name}/test-de.json, query q1: candidate a occurs twice"):
        score(name, once, twice)
    with pytest.raises(DataError, match=rf"gold/{name}/test-de.json, query q1: candidate a occurs twice"):
        score(name, twice, once)


@pytest.mark.parametrize("candidate", ["null", "3", '""', '" a"', '"a\\n"', '["a"]'])
def test_candidate_that_is_no_id_is_an_error(score, candidate):
    with pytest.raises(DataError, match=r"query q: candidate .*; expected an id"):
        score("lareqa", '{"q": ["a"]}', f'{{"q": ["a", {candidate}]}}')


INDICES = ["2", "99", "-2", "٠", "²", "00", "01", "+1", " 1", "1 ", "1.0", "1e0", "0x1", "true", "one", "1_0"]


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("side", ["gold", "predictions"])
def test_index_out_of_range_or_in_another_notation_is_an_error(score, index, side):
    right, wrong = "0\n1\n", f"0\n{index}\n"
    texts = (wrong, right) if side == "gold" else (right, wrong)
    for name in ("tatoeba", "xcopa"):
        with pytest.raises(DataError, match=f"{side}/{name}/test-de.tsv, line 2"):
            score(name, *texts)
    with pytest.raises(DataError, match=f"{side}/xcopa/test-de.jsonl, line 2"):
        score("xcopa", *(xcopa(*enumerate(text.split("\n")[:2])) for text in texts), ".jsonl")


@pytest.mark.parametrize("label", [True, False, 1.0, 2, 10**30, [1], {"a": 1}])
def test_xcopa_label_that_is_no_index_is_an_error(score, label):
    with pytest.raises(DataError, match=r"test-de.jsonl, line 1: "):
        score("xcopa", xcopa((0, 1)), xcopa((0, label)), ".jsonl")


def make_retrieval_set(size: int = 40) -> RetrievalSet:
    passages = tuple(Passage(str(number), f"text {number}") for number in range(size))
    return RetrievalSet("de", passages, passages, {str(i): frozenset({str(i * 7 % size)}) for i in range(size)})


def test_predictions_on_a_reduced_tatoeba_are_scored_against_its_own_gold(tmp_path):
    small = smaller_set(make_retrieval_set(), 3)
    gold = write_gold(tmp_path / "gold", "tatoeba", "de", [small])
    assert max(map(int, gold.read_text().split())) >= len(small.queries)
    ranked = {query.id: (min(small.gold[query.id]),) for query in small.queries}
    paths = write_predictions(tmp_path / "predictions", "tatoeba", "de", [small], [ranked]), gold
    assert score_file(get_task("tatoeba"), "de", *paths)[0].metrics == {"accuracy": 100.0}
    other = next(str(number) for number in range(40) if str(number) not in {c.id for c in small.candidates})
    paths[0].write_text(f"{other}\n" * len(small.queries))
    with pytest.raises(
        DataError, match=rf"predictions/.*line 1: index {other} is none of the 30 candidates in .*-de.candid"
    ):
        score_file(get_task("tatoeba"), "de", *paths)
    locate_candidates(gold).write_text("[]")
    with pytest.raises(DataError, match=r"test-de.candidates: \[\]; expected a list of ids"):
        score_file(get_task("tatoeba"), "de", *paths)


@pytest.mark.parametrize("name", ["lareqa", "mewslix", "bucc2018"])
def test_candidate_that_the_set_does_not_have_is_an_error_where_its_candidates_are_listed(tmp_path, name):
    whole = make_retrieval_set()
    gold = write_gold(tmp_path / "gold", name, "de", [whole])
    for candidate in ("39", "40"):
        ranked = {query.id: (candidate,) for query in whole.queries}
        path = write_predictions(tmp_path / "predictions", name, "de", [whole], [ranked])
        if candidate == "39":
            assert score_file(get_task(name), "de", path, gold)[0].n == 40
        else:
            with pytest.raises(DataError, match=r"predictions/.*, query 0: candidate 40 is none of the 40 candidates"):
                score_file(get_task(name), "de", path, gold)
    locate_candidates(gold).unlink()  # as in a publisher's folder
    assert score_file(get_task(name), "de", path, gold)[0].n == 40


def test_indices_that_count_from_one_are_an_error(score):
    with pytest.raises(DataError, match=r"line 3: index 3, but there are 3 lines; expected 0 to 2: count from 0"):
        score("tatoeba", "0\n1\n2\n", "1\n2\n3\n")


def test_xcopa_labels_are_matched_by_idx_in_any_order(score):
    gold, reversed_lines = xcopa((0, 1), (1, 0), (2, 0)), xcopa((2, 0), (1, 0), (0, 1))
    assert score("xcopa", gold, reversed_lines, ".jsonl") == {"accuracy": 100}
    named = xcopa(("dog", 1), ("cat", 0), ("cow", 0)), xcopa(("cow", 1), ("dog", 1), ("cat", 1))
    assert score("xcopa", *named, ".jsonl") == {"accuracy": pytest.approx(100 / 3)}


def test_xcopa_ids_may_be_ones_own_and_numbers_or_texts(score):
    assert score("xcopa", xcopa((7, 1), (3, 0)), xcopa(("3", 0), ("7", 1)), ".jsonl") == {"accuracy": 100}


XCOPA_IDS = [
    (xcopa((0, 1), (1, 0)), xcopa((0, 1), (0, 0)), "predictions.*line 2: idx 0 is already in line 1"),
    (xcopa((0, 1), (0, 0)), xcopa((0, 1), (1, 0)), "gold.*line 2: idx 0 is already in line 1"),
    (xcopa((0, 1), (1, 0)), xcopa((0, 1), (2, 0)), "no prediction for 1 idx of .*, such as 1 in its line 2"),
    (xcopa((0, 1), (1, 0)), xcopa((1, 1), (" 0", 0)), "line 2: idx ' 0'"),
    (xcopa((0, 1), (1, 0)), xcopa((0, 1), (None, 0)), "line 2: idx None"),
    (xcopa((0, 1), (1, 0)), xcopa((False, 1), (1, 0)), "line 1: idx False"),
    (xcopa((0, 1), (1, 0)), xcopa((0.0, 1), (1, 0)), "line 1: idx 0.0"),
    (xcopa((0, 1), (1, 0)), '{"label": 1}\n{"idx": 1, "label": 0}\n', "line 1: idx None"),
    (
        '{"label": 1}\n{"label": 0}\n',
        xcopa((1, 0), (0, 1)),
        "predictions.*2: idx 0 after idx 1, but .*gold.* no idx",
    ),
    (
        xcopa((1, 0), (0, 1)),
        '{"label": 1}\n{"label": 0}\n',
        "gold.*2: idx 0 after idx 1, but .*predictions.* no",
    ),
    (xcopa((0, 1), (1, 0)), "1\n0\n", "predictions.*line 1: 1; expected a JSON object"),
    (xcopa((0, 1), (1, 0)), '["idx"]\nnull\n', "predictions.*line 1: .'idx'.; expected a JSON object"),
    ("null\n", xcopa((0, 1)), "gold.*line 1: None; expected a JSON object"),
]


@pytest.mark.parametrize(("gold", "predictions", "message"), XCOPA_IDS)
def test_xcopa_lines_that_do_not_fit_together_are_an_error(score, gold, predictions, message):
    with pytest.raises(DataError, match=message):
        score("xcopa", gold, predictions, ".jsonl")


PAIRS = "de-01\ten-07\nde-02\ten-05\n"


@pytest.mark.parametrize(
    ("gold", "predictions", "message"),
    [
        (PAIRS, "en-07\tde-01\nen-05\tde-02\n", "predictions.*pair en-07, de-01 has en-07 in column 1"),
        (PAIRS, "de-01\ten-07\nen-99\tde-88\n", "pair en-99, de-88 has en-99 in column 1, where .* such as de-01"),
        (PAIRS, "fr-01\ten-07\n", "fr-01 in column 1"),
        (PAIRS, "de-01\t7\n", "has 7 in column 2"),
        ("a\tx\nb\ty\n", "x\ta\ny\tb\n", "has x in column 1"),
        (PAIRS, "de-01\ten-07\nde-01\ten-07\n", "predictions.*line 2: the pair of line 1 again"),
        (PAIRS + PAIRS, PAIRS, "gold.*line 3: the pair of line 1 again"),
        (PAIRS, "de-01 \ten-07\n", "line 1: 'de-01 .*without blanks"),
        (PAIRS, "de-01\t en-07\n", "line 1: .*without blanks"),
        (PAIRS, "de 01\ten-07\n", "line 1: .*without blanks"),
        (PAIRS, "de-01\ten-07\t1\n", "line 1: .*without blanks"),
        (PAIRS, "de-01\ten-07\n\n", "line 2: '' is not two ids"),
    ],
)
def test_pairs_in_other_columns_or_twice_are_an_error(score, gold, predictions, message):
    with pytest.raises(DataError, match=message):
        score("bucc2018", gold, predictions)


@pytest.mark.parametrize("name", ["xquad", "mlqa", "tydiqa"])
@pytest.mark.parametrize(
    ("gold", "message"),
    [
        (squad(("a", answer(["mill"]))), "gold/.*question a: the answer .'mill'. is not a text"),
        (squad(("a", answer(3))), "question a: the answer 3 is not a text"),
        (squad(("a", answer({"b": "c"}))), "question a: the answer .* is not a text"),
        (squad((["a"], answer("mill"))), "gold/"),
        (squad((None, answer("mill"))), "gold/"),
        (squad(("a", {"text": "mill"})), "gold/"),
        (squad(("a", "mill")), "gold/"),
        (squad(("a", 3)), "gold/"),
        ('{"data": {"paragraphs": 3}}', "gold/.*not in SQuAD's format"),
        ("[]", "gold/.*not in SQuAD's format"),
        ("3", "gold/.*not in SQuAD's format"),
        ('{"data": null}', "gold/.*not in SQuAD's format"),
    ],
)
def test_wrong_type_in_a_gold_file_of_questions_is_an_error(score, name, gold, message):
    with pytest.raises(DataError, match=message):
        score(name, gold, '{"a": "mill"}')


def test_question_that_a_gold_file_has_twice_is_an_error(score):
    article = json.loads(squad(("a", answer("mill"))))["data"][0]
    with pytest.raises(DataError, match="the id occurs twice"):
        score("xquad", json.dumps({"data": [article, article]}), '{"a": "mill", "a#2": "mill"}')
    two = squad(("a", answer("mill")), ("a#2", answer("mill")), ("a", answer("old")))
    with pytest.raises(DataError, match="question a#2: the id occurs twice"):
        score("xquad", two, '{"a": "mill", "a#2": "mill"}')


@pytest.mark.parametrize("name", ["xquad", "mewslix"])
def test_id_of_a_prediction_with_blanks_or_of_another_set_is_an_error_even_if_partial(score, name):
    gold, value = (squad(("a", answer("mill")), ("b", answer("old"))), "mill")
    if name == "mewslix":
        gold, value = '{"a": ["x"], "b": ["y"]}', ["x"]
    with pytest.raises(DataError, match=r"predictions.*id ' a': blanks around the id a; remove"):
        score(name, gold, json.dumps({" a": value, "b": value}), partial=True)
    with pytest.raises(DataError, match=r"no prediction for any of the 2 ids .* such as a"):
        score(name, gold, json.dumps({"c": value}), partial=True)
    with pytest.raises(DataError, match=r"predictions.*'a' occurs twice"):
        score(name, gold, f'{{"a": {json.dumps(value)}, "a": {json.dumps(value)}}}')


def test_mined_pairs_with_ids_of_another_form_have_no_score(score):
    with pytest.raises(DataError, match=r"predictions.*none of its ids, such as de-001, is in a pair of .* as de-1;"):
        many = "".join(f"de-{number:03}\ten-{number:03}\n" for number in range(1, FEW_PAIRS + 1))
        score("bucc2018", "de-1\ten-1\nde-2\ten-2\n", many)
    assert score("bucc2018", "de-1\ten-1\n", "de-3\ten-4\n")["f1"] == 0  # a few wrong sentences
    assert score("bucc2018", "de-1\ten-1\nde-2\ten-2\n", "de-1\ten-2\n")["f1"] == 0


def test_publishers_columns_in_the_place_of_labels_are_named(score):
    with pytest.raises(DataError, match=r"unknown label 'a\\tb\\tneutral'; .* has one a line and no text"):
        score("xnli", "a\tb\tneutral\n", "neutral\n")


def test_missing_folder_is_one_error(tmp_path):
    write_submission(tmp_path)
    both = tmp_path / "predictions", tmp_path / "gold"
    for sides, what in (((tmp_path / "no", both[1]), "predictions"), ((both[0], tmp_path / "no"), "gold labels")):
        with pytest.raises(DataError, match=rf"^{tmp_path}/no is not a folder; expected one of {what}, .*de.tsv$"):
            score_folders(*sides, tasks=["xnli"])


def test_partial_is_not_advised_where_it_was_given(tmp_path):
    for path in write_submission(tmp_path):
        path.rename(path.with_name("test-gl.tsv"))
    with pytest.raises(DataError, match=r"are missing; add them, .*--partial"):
        score_folders(tmp_path / "predictions", tmp_path / "gold")
    with pytest.raises(DataError, match="are missing; no language has both predictions and gold labels; add the files"):
        score_folders(tmp_path / "predictions", tmp_path / "gold", partial=True)


DEEP = 100_000
BROKEN_JSON = {
    "NaN": ("NaN", "NaN is not a JSON number"),
    "Infinity": ("[1, -Infinity]", "-Infinity is not a JSON number"),
    "1e999": ('{"a": 1e999}', "1e999 is not a JSON number"),
    "deep list": ("[" * DEEP + "]" * DEEP, "nested too deeply"),
    "deep object": ('{"a":' * DEEP + "1" + "}" * DEEP, "nested too deeply"),
    "digits": (f'{{"a": {"1" * 5000}}}', "too many digits"),
    "cut off": ('{"a": "mi', "invalid JSON"),
    "nothing": ("", "invalid JSON|empty"),
    "Latin-1": (b'{"a": "m\xfchle"}', "line 1: byte 0xfc is not UTF-8"),
    "UTF-16": ('{"a": "mill"}'.encode("utf-16"), "is UTF-16"),
    "zeros": (b"\x00" * 40, "line 1: a NUL byte"),
}
VALID = {
    "xquad": (squad(("a", answer("mill"))), '{"a": "mill"}', ".json"),
    "mlqa": (squad(("a", answer("mill"))), '{"a": "mill"}', ".json"),
    "lareqa": ('{"a": ["x"]}', '{"a": ["x"]}', ".json"),
    "xcopa": (xcopa((0, 1)), xcopa((0, 1)), ".jsonl"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN_JSON.values(), ids=BROKEN_JSON)
@pytest.mark.parametrize("name", VALID)
def test_broken_json_is_an_error_that_names_the_file(score, name, content, message):
    gold, predictions, suffix = VALID[name]
    with pytest.raises(DataError, match=f"(?s)gold/{name}/test-de{suffix}.*({message})"):
        score(name, content, predictions, suffix)
    if content:
        with pytest.raises(DataError, match=f"(?s)predictions/{name}/test-de{suffix}.*({message})"):
            score(name, gold, content, suffix)


@pytest.mark.parametrize("name", VALID)
def test_byte_order_mark_and_windows_line_ends_change_no_score(score, name):
    gold, predictions, suffix = VALID[name]
    marked = (b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode() for text in (gold, predictions))
    assert set(score(name, *marked, suffix).values()) == {100}


def test_ids_with_a_number_sign_are_ones_own(score):
    paragraph = json.loads(squad(("a#1", answer("mill")), ("a#2", answer("old"))))
    for question in paragraph["data"][0]["paragraphs"][0]["qas"]:
        question["question"] = "who?"
    assert score("xquad", json.dumps(paragraph), '{"a#1": "mill", "a#2": "old"}')["f1"] == 100


def test_task_that_is_named_twice_is_scored_once(tmp_path):
    write_submission(tmp_path)
    once, twice = (
        score_folders(tmp_path / "predictions", tmp_path / "gold", tasks=["xnli"] * n, partial=True) for n in (1, 2)
    )
    assert once == twice


def write_submission(root: Path, name="xnli", code="de", suffix=".tsv", text="neutral\n") -> list[Path]:
    paths = [root / side / name / f"test-{code}{suffix}" for side in ("predictions", "gold")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return paths


@pytest.mark.parametrize("number", [0, 1])
def test_folder_in_the_place_of_a_file_is_an_error(tmp_path, number):
    path = write_submission(tmp_path)[number]
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=f"{path}: a folder; expected a file"):
        score_folders(tmp_path / "predictions", tmp_path / "gold", partial=True)


@pytest.mark.parametrize("method", ["read_bytes", "is_dir", "is_file", "iterdir", "exists"])
def test_missing_permission_is_an_error_that_names_the_file(tmp_path, monkeypatch, method):
    path = write_submission(tmp_path)[0]

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(DataError, match=rf"{path.parents[2]}.*Permission denied"):
        score_folders(tmp_path / "predictions", tmp_path / "gold", partial=True)


def test_command_prints_strict_json_in_ascii_whatever_the_folder_is_called(tmp_path, monkeypatch):
    folder = tmp_path / "m\udcfchle 水"
    write_submission(folder, "xcopa", "et", ".jsonl", xcopa((5, 1), (2, 0)))
    arguments = ["--predictions", str(folder / "predictions"), "--gold", str(folder / "gold"), "--partial"]
    result = CliRunner().invoke(cli.main, ["score", *arguments], catch_exceptions=False)
    assert result.output.isascii()
    content = json.loads(result.output, parse_constant=pytest.fail)
    assert content["tasks"]["xcopa"]["score"] == 100


def test_command_raises_an_error_with_a_remedy_for_half_an_emoji(tmp_path):
    write_submission(tmp_path, "lareqa", "de", ".json", '{"\\ud83d": ["\\ud83d", "\\ud83d"]}')
    arguments = ["--predictions", str(tmp_path / "predictions"), "--gold", str(tmp_path / "gold"), "--partial"]
    with pytest.raises(StiltsError) as error:
        CliRunner().invoke(cli.main, ["score", *arguments], catch_exceptions=False)
    assert str(error.value).encode()
