"""Faulty files of every kind: each gives a DataError that names the file and the place, and never a wrong example."""

import json
import time

import pytest

from stilts_core.errors import DataError, DataNotFound
from stilts_core.sources import rows
from stilts_core.sources.locations import find_languages
from stilts_core.sources.publishers import available_languages, load
from stilts_core.sources.repair import repaired_questions
from stilts_core.sources.rows import Row, comma_separated, json_lines, parse_json, read_text, tsv
from stilts_core.sources.tagged_files import tagged_sentences
from stilts_core.tasks.layouts import FILES

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
        (
            squad(answers=[ANSWER | {"text": " ", "answer_start": 6}]),
            r"question a: the answer ' ' is empty; restore it",
        ),
        (squad().replace('"id"', '"key"'), r"article 1, paragraph 1, question 1: not in SQuAD's format .*: no 'id'"),
        (squad().replace('"context"', '"text"'), r"json, article 1, paragraph 1: not in SQuAD's .*: no 'context'"),
        (squad(answers=[ANSWER | {"text": None}]), r"question a: the text of an answer is None"),
        (squad(answers=[ANSWER | {"text": ["Berlin"]}]), r"question a: the text of an answer is \['Berlin'\]"),
        (squad(answers="Berlin"), r"question a: 'answers' is 'Berlin'; expected a list"),
        (squad(question=None), r"question a: the question or its context is empty"),
        (squad(question=["Where?"]), r"question a: 'question' is \['Where\?'\]; expected a text"),
        (squad(context=None), r"question a: the question or its context is empty"),
        (squad(id=" a"), r"the id 'id' is ' a'; remove its blanks"),
        (squad(id=None), r"xquad.th.json, question None: no id in 'id'"),
        ("[" * 100_000, r"xquad.th.json, line 1: invalid JSON \(nested too deeply\)"),
        ('{"data": NaN}', r"xquad.th.json, line 1: invalid JSON \(NaN is not a JSON number\)"),
        ('{"data": [], "data": []}', r"the name 'data' occurs twice in one object"),
        ('{"data": "\\ud83d"}', r"half a surrogate pair"),
        ('{"data": ' + "9" * 5000 + "}", r"a number has too many digits"),
        ("", r"xquad.th.json: the file is empty; download it again"),
        (b"\xff\xfe{\x00", r"xquad.th.json is UTF-16; convert the file \(iconv -f utf-16"),
        (b"{\n\x00}\x00", r"xquad.th.json, line 2: a NUL byte; .*iconv -f utf-16le"),
        ("{\r}", r"xquad.th.json: its lines end in carriage returns alone"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", r"xquad.th.json is a Git LFS pointer"),
        ("/annex/objects/SHA256E-s1--0.json\n", r"xquad.th.json is a git-annex pointer"),
        ("\n<!doctype HTML>\n<title>404</title>", r"xquad.th.json is a web page"),
        (squad(answers=[], is_impossible=False), r"question a: is_impossible is False, and 'answers' is \[\]"),
        (squad(is_impossible=True), r"question a: is_impossible is True, and 'answers' is \[\(0, 'Berlin'\)\]"),
        (squad(answers=[ANSWER | {"text": "x" * 9999}]), r"question a: the answer 'x{79}… is not at its offset 0"),
        (b"\xef\xbb\xbf{\n\xe9}", r"xquad.th.json, line 2: byte 0xe9 is not UTF-8"),
    ],
)
def test_faulty_question_is_named(put, content, message):
    with pytest.raises(DataError, match=message):
        load("xquad", "test", "th", data=put(XQUAD, content))


@pytest.mark.parametrize("count", [1, 2])
def test_byte_order_marks_before_json_are_no_fault(put, count):
    assert len(load("xquad", "test", "th", data=put(XQUAD, b"\xef\xbb\xbf" * count + squad().encode())).items) == 1


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


@pytest.mark.parametrize("fields", [{"idx": None}, {}])
def test_missing_id_never_becomes_a_line_number(put, fields):
    content = json.dumps({name: value for name, value in CHOICES.items() if name != "idx"} | fields)
    with pytest.raises(DataError, match=r"test.th.jsonl, line 1: no id in 'idx'; restore it"):
        load("xcopa", "test", "th", data=put(XCOPA, content))


def test_link_that_leads_nowhere_is_an_error(put):
    root = put(XCOPA, json.dumps(CHOICES))
    link = root / XCOPA.replace(".th", ".et")
    for target, message in ((root / "nowhere", "that is not there; fetch it"), (link, "that leads back to itself")):
        link.symlink_to(target)
        with pytest.raises(DataError, match=rf"test.et.jsonl is a link (to a file )?{message}"):
            available_languages("xcopa", data=root)
        link.unlink()


def test_folder_without_permission_is_named(put, monkeypatch):
    root = put(XCOPA, json.dumps(CHOICES))

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(root), "stat", refuse)
    with pytest.raises(DataError, match=r"xtreme cannot be read \(Permission denied\); .* set STILTS_DATA"):
        find_languages(root, FILES["xcopa"][0].test[0], FILES["xcopa"][0])


def test_id_that_two_test_items_have_is_an_error(put):
    root = put(XCOPA, json.dumps(CHOICES) + "\n" + json.dumps(CHOICES))
    with pytest.raises(DataError, match=r"test.th.jsonl, line 2: the id '0' is duplicated"):
        load("xcopa", "test", "th", data=root)


def test_two_columns_are_a_blind_part_in_a_test_and_an_error_in_training(put):
    for part in ("train-en", "dev-en", "test-de", "test-en"):
        root = put(f"xtreme/pawsx/{part}.tsv", f"one\ttwo {part}\n")
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
    with pytest.raises(DataError, match=r"train-en.tsv.*(no tab before the tag|have no label)"):
        load("udpos", "train", data=put("xtreme/udpos/train-en.tsv", content))


@pytest.mark.parametrize(
    ("separator", "text", "message"),
    [
        ("\t", "Talo NOUN\n. PUNCT\n", r"line 1: 'Talo NOUN' has no tab before the tag; restore the tabs"),
        ("\t", "Talo\n\non    AUX\n. PUNCT\n", r"line 3: 'on    AUX' has no tab before the tag"),
        (" ", "Talo\tNOUN\n.\tPUNCT\n", r"line 1: 'Talo\\tNOUN' has no space before the tag; restore the spaces"),
        (" ", "Talo\u00a0NOUN\n", r"line 1: 'Talo\\xa0NOUN' has no space before the tag"),
        (" ", "Talo NOUN\niso\ttalo NOUN\n", r"line 2: 'iso\\ttalo NOUN' is not a word, a space and a tag"),
        ("\t", "a\tX\n" + "x" * 9999, r"line 2: 'x{79}… is not a word, a tab and a tag"),
    ],
)
def test_wrong_separator_is_named_and_gives_no_blind_part(separator, text, message):
    with pytest.raises(DataError, match=f"test-fi.tsv, {message}"):
        list(tagged_sentences(text, "test-fi.tsv", separator))


def test_some_words_with_a_space_are_a_blind_part():
    assert [row["words"] for row in tagged_sentences("10 000\nTalo\n", "x")] == [["10 000", "Talo"]]


def test_long_line_of_blanks_is_read_in_linear_time():
    start = time.process_time()
    assert len(list(tagged_sentences("a" + " " * 100_000, "x", " "))) == 1
    assert time.process_time() - start < 1  # a quadratic reader takes minutes


def test_json_line_that_is_no_object_is_named():
    with pytest.raises(DataError, match=r"x.jsonl, line 2: 7 is not a JSON object"):
        list(json_lines("{}\n7\n", "x.jsonl"))


@pytest.mark.parametrize(("read", "separator"), [(tsv, "\t"), (comma_separated, ",")])
def test_column_that_a_header_names_twice_is_an_error(read, separator):
    text = "id,text,id\n1,a,2\n".replace(",", separator)
    with pytest.raises(DataError, match=r"x, line 1: the column 'id' occurs 2 times; remove all but the right one"):
        list(read(text, "x"))


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
    with pytest.raises(DataError, match=r"tatoeba.deu-eng.deu: the file is empty; download it again"):
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
    answer = {"answer_start": 0, "text": "It"}
    answered, bare = {"id": "a", "question": "?", "answers": [answer]}, {"id": "b", "question": "?"}

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
    put("xtreme/xcopa/test.zh.jsonl", json.dumps(CHOICES | {"premise": "It snowed."}))
    assert repaired_questions("xcopa", "th", data=root) == {"0": "What was the cause?"}
    put("xtreme/xcopa/test.th.jsonl", json.dumps(effect | {"idx": 7}))
    assert repaired_questions("xcopa", "th", data=root) == {}
