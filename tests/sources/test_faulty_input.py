"""Faulty files of every kind: each gives a DataError that names the file and the place, and never a wrong example."""

import json

import pytest

from stilts_core.errors import DataError, DataNotFound
from stilts_core.sources import rows
from stilts_core.sources.publishers import load
from stilts_core.sources.repair import repaired_questions
from stilts_core.sources.rows import Row, comma_separated, json_lines, parse_json, read_text, tagged_sentences

XQUAD, XCOPA = "xtreme/xquad/xquad.th.json", "xtreme/xcopa/test.th.jsonl"
ANSWER = {"text": "Berlin", "answer_start": 0}
CHOICES = {"premise": "It rained.", "choice1": "a", "choice2": "b", "question": "cause", "label": 1, "idx": 0}


def squad(context="Berlin is big", **fields) -> str:
    item = {"id": "a", "question": "Where?", "answers": [ANSWER]} | fields
    return json.dumps({"data": [{"title": "t", "paragraphs": [{"context": context, "qas": [item]}]}]})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (squad(answers=[ANSWER | {"answer_start": "0"}]), r"question a: answer_start is '0'; expected a whole number"),
        (squad(answers=[ANSWER | {"answer_start": True}]), r"question a: answer_start is True"),
        (squad(answers=[ANSWER | {"answer_start": -13}]), r"question a: the answer 'Berlin' is not at its offset -13"),
        (squad(answers=[ANSWER | {"text": None}]), r"question a: the text of an answer is None"),
        (squad(answers=[ANSWER | {"text": ["Berlin"]}]), r"question a: the text of an answer is \['Berlin'\]"),
        (squad(answers="Berlin"), r"question a: 'answers' is 'Berlin'; expected a list"),
        (squad(question=None), r"question a: the question or its context is empty"),
        (squad(question=["Where?"]), r"question a: 'question' is \['Where\?'\]; expected a text"),
        (squad(context=None), r"question a: the question or its context is empty"),
        (squad(id=" a"), r"the id 'id' is ' a'; remove its blanks"),
        (squad(id=None), r"xquad.th.json, "),
        ("[" * 100_000, r"xquad.th.json, line 1: invalid JSON \(nested too deeply\)"),
        ('{"data": NaN}', r"xquad.th.json, line 1: invalid JSON \(NaN is not a JSON number\)"),
        ('{"data": [], "data": []}', r"the name 'data' occurs twice in one object"),
        ('{"data": "\\ud83d"}', r"half a surrogate pair"),
        ('{"data": ' + "9" * 5000 + "}", r"a number has too many digits"),
        ("", r"xquad.th.json, line 1: invalid JSON"),
        (b"\xff\xfe{\x00", r"xquad.th.json, line 1: byte 0xff is not UTF-8"),
        (b"\xef\xbb\xbf{\n\xe9}", r"xquad.th.json, line 2: byte 0xe9 is not UTF-8"),
    ],
)
def test_faulty_question_is_named(put, content, message):
    with pytest.raises(DataError, match=message):
        if (items := load("xquad", "test", "th", data=put(XQUAD, content)).items)[0].id == "1":
            raise DataError(f"{XQUAD}, {items}")  # an id of null is the number of the question


def test_byte_order_mark_before_json_is_no_fault(put):
    assert len(load("xquad", "test", "th", data=put(XQUAD, b"\xef\xbb\xbf" + squad().encode())).items) == 1


@pytest.mark.parametrize("answers", [[], None, "missing"])
def test_questions_without_answers_are_a_blind_part_in_a_test_and_an_error_in_training(put, answers):
    content = squad(answers=answers)
    if answers == "missing":
        content = content.replace(', "answers": "missing"', "")
    assert [item.answers for item in load("xquad", "test", "th", data=put(XQUAD, content)).items] == [None]
    put("english/squad/dev-v1.1.json", squad())
    with pytest.raises(DataError, match=r"train-v1.1.json, question a: 1 of 1 items have no label"):
        load("squad", "train", data=put("english/squad/train-v1.1.json", content))
    put("english/squad_v2/dev-v2.0.json", squad())
    root = put("english/squad_v2/train-v2.0.json", content)
    if answers == []:
        assert load("squad_v2", "train", data=root).items[0].answers == ()  # an unanswerable question
    else:
        with pytest.raises(DataError, match=r"train-v2.0.json, question a: 1 of 1 items have no label"):
            load("squad_v2", "train", data=root)


@pytest.mark.parametrize("label", ["٠", "00", "1.0", " 1", "²", True, 1.0, 2, -2, [1], {}, "2"])
def test_index_that_is_not_plainly_one_is_an_error(put, label):
    with pytest.raises(DataError, match=r"test.th.jsonl, line 1: 'label' is .*expected a whole number from 0 to 1"):
        load("xcopa", "test", "th", data=put(XCOPA, json.dumps(CHOICES | {"label": label})))


@pytest.mark.parametrize(("label", "index"), [(0, 0), ("1", 1), (-1, None), ("-1", None), ("", None), (None, None)])
def test_plain_index_is_read_and_a_missing_one_is_no_label(put, label, index):
    items = load("xcopa", "test", "th", data=put(XCOPA, json.dumps(CHOICES | {"label": label}))).items
    assert items[0].label == index


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"endings": "bc"}, r"line 1: 'endings' is 'bc'; expected a list"),
        ({"endings": ["a", None]}, r"one of the texts in 'endings' is empty"),
        ({"endings": ["a", 1]}, r"'endings' is 1; expected a list of texts"),
        ({"endings": ["a"]}, r"line 1: "),
        ({"endings": {"0": "a", "1": "b"}}, r"'endings' is .*; expected a list"),
        ({"ctx": ["A"]}, r"'ctx' is \['A'\]; expected a text"),
        ({"activity_label": 3}, r"'activity_label' is 3; expected a text"),
        ({"label": None}, r"hellaswag_train.jsonl, line 1: 1 of 1 items have no label, and the train part needs"),
    ],
)
def test_text_is_never_taken_for_a_list(put, fields, message):
    whole = {"ind": 1, "ctx": "A man", "endings": ["a", "b"], "label": 0}
    put("english/hellaswag/hellaswag_val.jsonl", json.dumps(whole))
    root = put("english/hellaswag/hellaswag_train.jsonl", json.dumps(whole | fields))
    with pytest.raises(DataError, match=message):
        load("hellaswag", "train", data=root)


def test_first_of_some_missing_labels_is_named(put):
    root = put(
        XCOPA, "".join(json.dumps(CHOICES | {"idx": i, "label": label}) + "\n" for i, label in enumerate([0, -1]))
    )
    with pytest.raises(DataError, match=r"test.th.jsonl, line 2: 1 of 2 items have no label; restore the labels"):
        load("xcopa", "test", "th", data=root)


def test_id_that_two_test_items_have_is_an_error(put):
    root = put(XCOPA, json.dumps(CHOICES) + "\n" + json.dumps(CHOICES))
    with pytest.raises(DataError, match=r"test.th.jsonl: the id '0' is duplicated"):
        load("xcopa", "test", "th", data=root)


def test_two_columns_are_a_blind_part_in_a_test_and_an_error_in_training(put):
    for part in ("train-en", "dev-en", "test-de", "test-en"):
        root = put(f"xtreme/pawsx/{part}.tsv", "one\ttwo\n")
    assert [item.label for item in load("pawsx", "test", "de", data=root).items] == [None]
    with pytest.raises(DataError, match=r"train-en.tsv, line 1: 1 of 1 items have no label"):
        load("pawsx", "train", data=root)
    put("xtreme/pawsx/test-de.tsv", "one\ttwo\none\ttwo\t1\n")
    with pytest.raises(DataError, match=r"test-de.tsv, line 2: there is a 'label' here and none in line 1"):
        load("pawsx", "test", "de", data=root)


@pytest.mark.parametrize("content", ["see VERB\nthis PRON\n\nand CCONJ\n", "see\nthis\n", "see\t\nthis\t \n"])
def test_training_tags_are_never_invented(put, content):
    for part in ("dev-en", "test-en"):
        put(f"xtreme/udpos/{part}.tsv", "see\tVERB\n")
    with pytest.raises(DataError, match=r"train-en.tsv.*(space where a tab|have no label)"):
        load("udpos", "train", data=put("xtreme/udpos/train-en.tsv", content))


def test_spaces_for_tabs_are_no_blind_part():
    with pytest.raises(DataError, match=r"test-fi.tsv, line 1: 'Talo NOUN' has a space where a tab belongs"):
        list(tagged_sentences("Talo NOUN\n. PUNCT\n", "test-fi.tsv"))
    assert [row["words"] for row in tagged_sentences("10 000\nTalo\n", "x")] == [["10 000", "Talo"]]


def test_json_line_that_is_no_object_is_named():
    with pytest.raises(DataError, match=r"x.jsonl, line 2: 7 is not a JSON object"):
        list(json_lines("{}\n7\n", "x.jsonl"))


def test_open_quotation_in_the_header_is_named():
    with pytest.raises(DataError, match=r"x.csv, line 1: .*close the open quotation"):
        list(comma_separated('"id,text\n1,2\n', "x.csv"))


def test_folder_missing_and_unreadable_file_are_named(put, tmp_path, monkeypatch):
    (tmp_path / "xtreme/xnli/test-de.tsv").mkdir(parents=True)
    with pytest.raises(DataError, match=r"test-de.tsv is a folder"):
        load("xnli", "test", "de", data=tmp_path)
    with pytest.raises(DataError, match=r"^x is a folder"):
        read_text(tmp_path, "x")
    with pytest.raises(DataNotFound, match=r"^x not found"):
        rows.checksum(tmp_path / "nowhere", "x")

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "read_bytes", refuse)
    with pytest.raises(DataError, match=r"^x cannot be read \(Permission denied\)"):
        read_text(tmp_path, "x")


@pytest.mark.parametrize("value", [" a", "a\t", "", "\n", True, 1.5, ["a"]])
def test_id_is_a_plain_text_or_a_whole_number(value):
    with pytest.raises(DataError, match=r"x, line 1: the id 'id' is "):
        Row({"id": value}, "x", 1).id("id")


@pytest.mark.parametrize("value", [True, 1.0, "maybe", ["0"], {}, 2, -2])
def test_label_is_a_name_or_the_number_of_one(value):
    with pytest.raises(DataError, match=r"x, line 1: unknown label"):
        Row({"label": value}, "x", 1).label("label", ("no", "yes"))


def test_mixed_letters_of_choices_are_an_error(put):
    choices = [{"label": "A", "text": "a"}, {"label": "A", "text": "b"}]
    row = {"id": "q", "answerKey": "A", "question": {"stem": "Where?", "choices": choices}}
    put("english/commonsense_qa/dev_rand_split.jsonl", json.dumps(row))
    root = put("english/commonsense_qa/train_rand_split.jsonl", json.dumps(row))
    with pytest.raises(DataError, match=r"line 1: two choices have the same letter"):
        load("commonsenseqa", "train", data=root)


def test_empty_retrieval_files_and_dev_parts_without_gold_are_errors(put):
    put("xtreme/tatoeba/tatoeba.deu-eng.deu", "")
    root = put("xtreme/tatoeba/tatoeba.deu-eng.eng", "")
    with pytest.raises(DataError, match=r"no queries or no candidates"):
        load("tatoeba", "test", "de", data=root)
    for split in ("dev", "test"):
        put(f"xtreme/bucc2018/zh-en.{split}.zh", "zh-1\t一\n")
        put(f"xtreme/bucc2018/zh-en.{split}.en", "en-1\tone\n")
        put(f"xtreme/bucc2018/zh-en.{split}.gold", "")
    assert load("bucc2018", "test", "zh", data=root).items[0].gold == {}
    with pytest.raises(DataError, match=r"zh-en.dev.gold: no right candidates, and the dev part needs them"):
        load("bucc2018", "dev", "zh", data=root)
    put("xtreme/bucc2018/zh-en.test.gold", "en-1\tzh-1\n")
    with pytest.raises(DataError, match=r"test.gold, line 1: the pair en-1, zh-1 is not in .* columns swapped"):
        load("bucc2018", "test", "zh", data=root)


def test_lareqa_without_any_answer_is_a_blind_part(put):
    paragraph = {"context": "It rained.", "sentence_breaks": [[0, 10]]}
    answered, bare = {"id": "a", "question": "?", "answers": [{"answer_start": 0}]}, {"id": "b", "question": "?"}

    def read(*questions):
        content = json.dumps({"data": [{"paragraphs": [paragraph | {"qas": list(questions)}]}]})
        return load("lareqa", "test", "th", data=put("xtreme/lareqa/xquad-r/th.json", content)).items[0]

    assert read(bare).gold == {} and read(answered).gold == {"a": {"0.0"}}
    with pytest.raises(DataError, match=r"th.json, question b: no answer, but other questions have one"):
        read(answered, bare)


def test_json_that_is_right_is_read_as_the_standard_library_reads_it():
    text = '{"a": [1, 2.5, null, true, "\\ud83d\\ude00", {"b": {}}]}'
    assert parse_json(text, "x") == json.loads(text)


def test_xcopa_with_one_language_or_ids_of_its_own_is_read_without_the_repair(put):
    effect = CHOICES | {"question": "effect"}
    root = put("xtreme/xcopa/test.th.jsonl", json.dumps(effect))
    assert repaired_questions("xcopa", "th", data=root) == {}
    put("xtreme/xcopa/test.et.jsonl", json.dumps(CHOICES))
    assert repaired_questions("xcopa", "th", data=root) == {}
    put("xtreme/xcopa/test.zh.jsonl", json.dumps(CHOICES))
    assert repaired_questions("xcopa", "th", data=root) == {"0": "What was the cause?"}
    put("xtreme/xcopa/test.th.jsonl", json.dumps(effect | {"idx": 7}))
    assert repaired_questions("xcopa", "th", data=root) == {}
