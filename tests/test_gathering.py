import shutil
import subprocess
import sys
from collections import Counter
from functools import partial
from itertools import pairwise

import pytest
import toy_data

from stilts_core.config import ConfigError, RunConfig
from stilts_core.families.pair import PairExample
from stilts_core.families.retrieval import Passage, RetrievalSet
from stilts_core.gathering import (
    checkpoint_folder,
    files_of,
    gather,
    gather_intermediate,
    gather_target,
    run_folder,
    select,
    smaller_set,
)
from stilts_core.sources import lab, parts
from stilts_core.sources.lab.languages import LANGUAGES
from stilts_core.sources.reading import NotAtHand


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    return tmp_path / "data"


def config(**fields) -> RunConfig:
    return RunConfig(**{"profile": "small", "intermediate": "mnli", "target": "xnli"} | fields).resolved()


def test_same_items_are_chosen_in_every_language(data):
    tests = gather(config(test_examples=7)).tests
    ids = {tuple(example.id for example in test) for test in tests.values()}
    assert len(tests) == 3 and len(ids) == 1 and len(ids.pop()) == 7


def test_smaller_selection_is_part_of_a_larger_one_and_seeds_differ():
    examples = [PairExample(str(i), "en", "a", "b", None, str(i)) for i in range(100)]
    chosen = [select(examples, count, 0) for count in (10, 30, 100, 0)]
    assert [len(part) for part in chosen] == [10, 30, 100, 100]
    assert all(set(small) <= set(large) for small, large in pairwise(chosen))
    assert select(examples, 10, 0) != select(examples, 10, 1)


def test_stand_in_is_noted_once_and_files_have_checksums(data):
    gathered = gather(config())
    assert len(gathered.notes) == len(set(gathered.notes)) > 0
    assert any("MNLI" in note for note in gathered.notes)
    assert {len(checksum) for checksum in gathered.files.values()} == {64}
    assert "xtreme/xnli/dev-sw.tsv" in gathered.files


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"intermediate": "xquad"}, "xquad is no intermediate task"),
        ({"target": "hellaswag"}, "hellaswag is no target task"),
        ({"languages": "de,xx"}, "no test examples in xx; at hand are"),
    ],
)
def test_wrong_role_or_language_is_named_with_what_is_right(data, fields, named):
    with pytest.raises(ConfigError, match=named):
        gather(config(**fields))


def test_run_folder_changes_with_the_data(data, monkeypatch, tiny_xlmr):
    chosen = config(encoder=str(tiny_xlmr))
    folder = run_folder(chosen, gather(chosen).files)
    assert run_folder(chosen, gather(chosen).files) == folder
    with (data / "xtreme/xnli/dev-de.tsv").open("r+") as file:
        file.write("x")
    assert run_folder(chosen, gather(chosen).files) != folder


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"target": "tatoeba"},
        {"intermediate": "none", "mlm_weight": 0.5},
        {"mlm_weight": 0.5},
        {"intermediate": "mlm", "mlm_languages": "sw"},
    ],
)
def test_files_of_a_run_are_known_without_reading_its_examples(data, fields):
    assert files_of(config(**fields)) == gather(config(**fields)).files


@pytest.fixture
def few_texts(monkeypatch):
    """Three texts of each of the laboratory's languages, as tens of thousands take seconds."""
    monkeypatch.setattr(lab, "unlabelled", partial(lab.unlabelled, examples=3))


@pytest.mark.parametrize("fields", [{}, {"target": "tatoeba"}, {"mlm_weight": 0.5}])
def test_files_of_a_run_in_the_laboratory_are_known_without_generating_its_examples(few_texts, fields):
    chosen = config(profile="lab", languages="qbe,qco", **fields)
    assert files_of(chosen) == gather(chosen).files


def test_the_laboratory_needs_no_data_and_teaches_the_languages_that_have_text(few_texts, monkeypatch):
    monkeypatch.delenv("STILTS_DATA", raising=False)
    gathered = gather(config(profile="lab", mlm_weight=0.5, test_examples=7))
    assert set(gathered.tests) == set(LANGUAGES)
    assert {text.language for text in gathered.texts} == {code for code, made in LANGUAGES.items() if made.texts}


@pytest.mark.parametrize("target", ["pawsx", "udpos", "xquad", "bucc2018", "xcopa", "lareqa"])
def test_files_of_a_run_on_real_data_are_known_without_reading_them(stilts_data, target):
    chosen = config(target=target, intermediate="anli", languages="zh")
    assert files_of(chosen) == gather(chosen).files


def test_folder_of_a_run_is_known_without_pytorch(data, tiny_xlmr):
    source = f"""if True:
        import sys
        from stilts_core.config import RunConfig
        from stilts_core.gathering import files_of, gather, run_folder
        config = RunConfig(profile="small", intermediate="mnli", encoder={str(tiny_xlmr)!r}).resolved()
        assert run_folder(config, files_of(config)) == run_folder(config, gather(config).files)
        print(sorted({{"torch", "transformers", "datasets", "pandas", "scipy"}} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_file_of_several_parts_is_cut_into_rows_once(data, monkeypatch):
    cut, read = parts.FORMATS["english/mnli"], []
    monkeypatch.setitem(parts.FORMATS, "english/mnli", (lambda *text: read.append(text) or cut[0](*text), cut[1]))
    gather_intermediate(config())  # the train and dev parts of MNLI
    assert len(read) == 1
    gather_target(config())  # the same parts, which XNLI is trained on
    assert len(read) == 2  # nothing is kept in memory when all is gathered


def test_unlabelled_text_is_read_only_for_masked_language_modelling(data):
    assert not gather(config()).texts
    texts = gather(config(mlm_weight=0.5, mlm_languages="de,sw")).texts
    assert {text.language for text in texts} == {"de", "sw"}
    alone = gather(config(intermediate="mlm"))
    assert {text.language for text in alone.texts} == {"de", "en", "sw"} and not alone.intermediate


def test_unlabelled_text_does_not_depend_on_the_target(data):
    texts = [gather(config(intermediate="mlm", target=target)).texts for target in ("xnli", "tatoeba")]
    assert texts[0] == texts[1]


def test_laboratory_makes_as_many_texts_as_there_are_steps_for_in_the_shares_of_its_languages():
    texts = gather_intermediate(RunConfig(intermediate="mlm", intermediate_examples=500).resolved()).texts
    epochs = RunConfig().resolved().intermediate_epochs
    counts = Counter(text.language for text in texts)
    assert 500 * epochs <= len(texts) < 500 * epochs + len(counts)
    known = {code: language.texts for code, language in LANGUAGES.items() if language.texts}
    assert counts.keys() == known.keys()
    share = len(texts) / sum(known.values())
    assert all(abs(counts[code] - share * size) <= 1 for code, size in known.items())


def test_missing_text_is_named_with_the_remedy(data):
    shutil.rmtree(data / "text")
    with pytest.raises(NotAtHand, match="put sentences there, one a line"):
        gather(config(intermediate="mlm"))


def test_sham_labels_are_the_intermediate_training_labels_only(data):
    given, sham = gather(config()), gather(config(sham_labels=True))
    (train, dev), (permuted, same) = given.intermediate["mnli"], sham.intermediate["mnli"]
    assert [example.text_b for example in permuted] == [example.text_b for example in train]
    assert permuted != train and same == dev and sham.target == given.target


@pytest.mark.parametrize("change", [
    {"seed": 5}, {"intermediate_lr": 2e-3}, {"intermediate_epochs": 1.0}, {"intermediate_examples": 9},
    {"dev_examples": 9}, {"weight_decay": 0.1}, {"dropout": 0.1}, {"pooling": "first"}, {"intermediate": "qqp,mnli"},
    {"mlm_weight": 0.1}, {"sham_labels": True}, {"precision": "bf16"}, {"max_length": 64}, {"batch_size": 8},
], ids=str)  # fmt: skip
def test_what_decides_the_intermediate_phase_decides_its_checkpoint(data, tiny_xlmr, change, monkeypatch):
    monkeypatch.setattr("stilts_core.sources.load.checksums", lambda name, split: {f"{name}/{split}": "0"})
    base = {"encoder": str(tiny_xlmr)}
    assert checkpoint_folder(config(**base, **change)) != checkpoint_folder(config(**base))


def test_targets_and_what_decides_no_result_share_the_checkpoint(data, tiny_xlmr):
    base = {"encoder": str(tiny_xlmr)}
    same = {
        "target": "tatoeba", "languages": "de", "target_examples": 9, "test_examples": 9, "target_epochs": 1.0,
        "target_lr": 1e-5, "layer": 1, "token_budget": 64, "quiet": True,
    }  # fmt: skip
    assert checkpoint_folder(config(**base, **same)) == checkpoint_folder(config(**base))


def test_other_weights_or_data_give_another_checkpoint(data, tiny_xlmr, tiny_bert):
    folders = {checkpoint_folder(config(encoder=str(encoder))) for encoder in (tiny_xlmr, tiny_bert)}
    with (data / "english/mnli/dev_matched.tsv").open("a") as file:
        file.write("a\tb\tneutral\n")
    assert len({*folders, checkpoint_folder(config(encoder=str(tiny_xlmr)))}) == 3


def test_smaller_set_keeps_right_candidates_and_half_of_the_answered_queries():
    queries = tuple(Passage(f"q{i}", f"query {i}") for i in range(100))
    candidates = tuple(Passage(f"c{i}", f"candidate {i}") for i in range(1000))
    gold = {f"q{i}": frozenset({f"c{i}"}) for i in range(0, 100, 10)}
    small = smaller_set(RetrievalSet("de", queries, candidates, gold), 8)
    assert len(small.queries) == 8 and len(small.gold) == 4 and len(small.candidates) == 80
    assert frozenset().union(*small.gold.values()) <= {candidate.id for candidate in small.candidates}
    assert smaller_set(small, 8) is small
