"""What a run may be asked for: steps, seeds, chains, joint training, frozen parts, and recipes of a profile."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy_data import scores_of

from stilts_core.config import PROFILES, RunConfig
from stilts_core.encoders.cpu.adamw import AdamW
from stilts_core.errors import ConfigError
from stilts_core.runs.data import read_intermediate, read_target
from stilts_core.runs.encoders import check_encoder, load_encoder
from stilts_core.runs.pipeline import intermediate, run
from stilts_core.runs.record import PhaseRecord, Record, read_record

pytestmark = pytest.mark.usefixtures("one_thread")
SIZES = {
    "intermediate_examples": 24, "target_examples": 24, "dev_examples": 6, "test_examples": 6, "languages": "en,qbe",
    "intermediate_epochs": 1.0, "target_epochs": 1.0, "batch_size": 8, "token_budget": 100_000, "weight_decay": 0.0,
}  # fmt: skip


@pytest.fixture
def do(tmp_path, tiny_xlmr):
    """Does a run of a tiny encoder on generated data, and saves its model."""

    def do(what=run, **fields):
        usual = {"encoder": str(tiny_xlmr), "runs_dir": str(tmp_path / "runs"), "quiet": True, "keep_checkpoint": True}
        return what(RunConfig(**usual | SIZES | {"intermediate": "mnli", "target": "udpos"} | fields))

    return do


def weights(record: Record) -> dict[str, torch.Tensor]:
    """The trained encoder and head of a run."""
    files = (Path(record.folder) / "model" / name for name in ("model.safetensors", "head.safetensors"))
    return {f"{file.name} {name}": tensor for file in files for name, tensor in load_file(file).items()}


def losses(phase: PhaseRecord) -> list[tuple[str, float]]:
    return [(point["task"], point["loss"]) for point in phase.curve]


def same_weights(first: Record, second: Record) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def same(first: Record, second: Record) -> bool:
    return scores_of(first) == scores_of(second) and same_weights(first, second)


def checkpoints(tmp_path: Path) -> dict[str, int]:
    """The checkpoints of intermediate phases, with the time of their tensors."""
    folders = (path for path in (tmp_path / "runs/checkpoints").iterdir() if path.is_dir())
    return {folder.name: (folder / "tensors.safetensors").stat().st_mtime_ns for folder in folders}


# --- steps
def test_as_many_steps_as_the_epochs_have_are_the_same_run(do):
    by_epochs = do(intermediate_epochs=2.0)
    by_steps = do(intermediate_epochs=None, target_epochs=None, intermediate_steps=6, target_steps=3)
    assert same(by_epochs, by_steps) and by_epochs.run_id != by_steps.run_id
    assert [(phase.steps, phase.epochs) for phase in by_steps.phases] == [(6, 2.0), (3, 1.0)]


def test_steps_come_before_the_epochs_of_the_profile_and_fit_any_number(do):
    record = do(
        intermediate="mnli,qqp", intermediate_epochs=None, target_epochs=None, intermediate_steps=7, target_steps=2
    )
    assert [phase.steps for phase in record.phases] == [7, 2]
    assert record.config.target_epochs is None and record.phases[1].epochs == pytest.approx(2 / 3)


@pytest.mark.parametrize("phase", ["intermediate", "target"])
def test_steps_and_epochs_at_once_are_an_error(phase):
    with pytest.raises(ConfigError, match=f"{phase}_steps is 5 and {phase}_epochs is 2.0; set only one"):
        RunConfig(**{f"{phase}_steps": 5, f"{phase}_epochs": 2.0}).resolved()


# --- seeds
def test_seeds_that_are_equal_to_the_seed_are_the_same_run(do):
    whole = do(seed=3)
    assert do(seed=3, selection_seed=3, order_seed=3, initialisation_seed=3).run_id == whole.run_id
    assert same(do(seed=0, selection_seed=3, order_seed=3, initialisation_seed=3), whole)


def ids(config) -> tuple[list, list]:
    """The examples of the intermediate and of the target phase."""
    data = read_intermediate(config)
    return [[example.id for example in train] for train, _ in data.tasks.values()], [
        e.id for e in read_target(config).train
    ]


def test_selection_seed_alone_chooses_examples():
    base = {"intermediate": "mnli", "intermediate_examples": 8, "target_examples": 8, "languages": "en"}
    chosen = ids(RunConfig(**base).resolved())
    assert ids(RunConfig(**base, order_seed=7, initialisation_seed=8).resolved()) == chosen
    other = ids(RunConfig(**base, selection_seed=7).resolved())
    assert other[0] != chosen[0] and other[1] != chosen[1]
    assert other == ids(RunConfig(**base, seed=7).resolved())


@pytest.mark.parametrize("name, changed", [("order_seed", "order"), ("initialisation_seed", "heads")])
def test_order_and_initialisation_have_seeds_of_their_own(do, monkeypatch, name, changed):
    seen = {"order": [], "heads": []}

    def watch(encoder, tasks, schedule, **_):
        from stilts_core.training.schedule import Plan

        plan = Plan(tasks, schedule)
        seen["order"].append([plan[step][1].tolist() for step in range(plan.steps)])
        seen["heads"].append([p.tolist() for task in tasks for p in task.head.parameters()])
        raise KeyboardInterrupt

    monkeypatch.setattr("stilts_core.runs.phases.train", watch)
    for fields in ({}, {name: 5}):
        with pytest.raises(KeyboardInterrupt):
            do(intermediate="none", **fields)
    assert {kind for kind, (first, second) in seen.items() if first != second} == {changed}


# --- chains
def one_by_one(do, *targets: str, **fields) -> Record:
    """The last of several runs without intermediate task, each of which starts from the model of the one before."""
    for target in targets:
        record = do(intermediate="none", target=target, **fields)
        fields["encoder"] = str(Path(record.folder) / "model")
    return record


def test_chain_equals_its_phases_done_one_by_one(do):
    rate = {"intermediate_lr": 1e-3, "target_lr": 1e-3}  # a task has one rate, whether it comes first or last
    whole = do(intermediate="pawsx>panx", target="udpos", **rate)
    record = one_by_one(do, "pawsx", "panx", "udpos", **rate)
    assert whole.scores == record.scores and losses(whole.phases[-1]) == losses(record.phases[-1])
    assert same_weights(whole, record)
    assert [(phase.name, phase.tasks) for phase in whole.phases] == [
        ("intermediate", ["pawsx"]), ("intermediate", ["panx"]), ("target", ["udpos"]),
    ]  # fmt: skip
    assert list(whole.cards) == ["pawsx", "panx", "udpos"]


def test_embeddings_that_no_phase_of_a_chain_used_decay_as_in_single_phases(do):
    fields = {"weight_decay": 0.5, "intermediate_lr": 1e-2, "target_lr": 1e-2}
    chain, single = do(intermediate="pawsx>panx", **fields), one_by_one(do, "pawsx", "panx", "udpos", **fields)
    first = one_by_one(do, "pawsx", **fields)
    ours, theirs, before = (
        weights(record)["model.safetensors embeddings.word_embeddings.weight"] for record in (chain, single, first)
    )
    unused = (theirs / before).std(dim=1) < 1e-4  # what later phases do not train shrinks by one factor
    assert unused.sum() > 50
    torch.testing.assert_close(ours[unused], theirs[unused], rtol=1e-3, atol=0)  # a decay too few or too many: 1 %


def test_targets_of_every_family_may_be_phases_of_a_chain(do):
    record = do(intermediate="xquad>xcopa>lareqa>udpos", target="panx")
    assert [list(phase.dev) for phase in record.phases] == [
        [name] for name in ("xquad", "xcopa", "lareqa", "udpos", "panx")
    ]
    assert all(phase.steps > 0 and phase.curve for phase in record.phases) and len(record.cards) == 5


def test_chain_reuses_the_checkpoints_of_its_beginnings(do, tmp_path):
    plain = do(intermediate="qqp")
    before = checkpoints(tmp_path)
    record = do(intermediate="qqp>mlm>mnli,panx", text_languages="qbe")
    after = checkpoints(tmp_path)
    assert len(before) == 1 and len(after) == 3 and before.items() <= after.items()
    assert [phase.checkpoint for phase in record.phases[:-1]] == sorted(after, key=after.get)
    assert [phase.reused for phase in record.phases] == [True, False, False, False]
    assert record.phases[0].checkpoint == plain.phases[0].checkpoint
    again = do(intermediate="qqp>mlm>mnli,panx", text_languages="qbe", target="tatoeba", languages="qbe")
    assert [phase.reused for phase in again.phases] == [True, True, True] and checkpoints(tmp_path) == after
    assert [phase.tasks for phase in again.phases] == [["qqp"], ["mlm"], ["mnli", "panx"]]


def test_finished_chain_needs_no_earlier_checkpoint(do, tmp_path):
    chain = do(intermediate="qqp>pawsx")
    first = chain.phases[0].checkpoint
    (tmp_path / "runs/checkpoints" / first).rename(tmp_path / first)
    other = do(intermediate="qqp>pawsx", target_lr=1e-4)
    assert [phase.reused for phase in other.phases] == [True, True, False] and first not in checkpoints(tmp_path)
    assert other.data == chain.data


def test_shams_and_masked_language_modelling_share_what_they_do_not_change(do, tmp_path):
    base = {"intermediate": "mlm>mnli", "target": "tatoeba", "languages": "qbe"}
    phases = [do(**base).phases, do(**base, sham_labels=True).phases]
    assert phases[0][0].checkpoint == phases[1][0].checkpoint != phases[0][1].checkpoint
    assert phases[0][1].checkpoint != phases[1][1].checkpoint


class Killed(BaseException):
    """The death of a process."""


def test_killed_chain_resumes_bitwise(do, monkeypatch, tmp_path):
    fields = {"intermediate": "qqp>panx", "intermediate_epochs": 2.0, "checkpoint_seconds": 0.0, "dropout": 0.1}
    whole = do(**fields, runs_dir=str(tmp_path / "whole"))
    step, deaths = AdamW.step, [2, 9, 14]  # in the first phase, in the second, in the target phase
    done = Counter()

    def dying(optimiser):
        done["steps"] += 1
        if done["steps"] in deaths:
            deaths.remove(done["steps"])
            done["steps"] -= 1
            raise Killed
        step(optimiser)

    monkeypatch.setattr(AdamW, "step", dying)
    for _ in range(3):
        with pytest.raises(Killed):
            do(**fields)
    record = do(**fields)
    assert done["steps"] == 15 and [phase.reused for phase in record.phases] == [True, True, False]
    assert same(record, whole)


def test_command_trains_the_last_phase_of_a_chain_and_what_it_needs(do, tmp_path):
    phase = do(intermediate, intermediate="qqp>panx")
    assert phase.tasks == ["panx"] and len(checkpoints(tmp_path)) == 2
    with pytest.raises(ConfigError, match="mixed is true"):
        do(intermediate, mixed=True)


@pytest.mark.parametrize(
    "names, target, shared",
    [
        ("udpos", "panx", False), ("xnli", "xnli", True), ("xquad", "mlqa", True), ("squad_v2", "lareqa", True),
        ("mlqa", "tydiqa", False), ("qqp>xnli", "xnli", True), ("panx", "tatoeba", False),
    ],
)  # fmt: skip
def test_data_are_the_same_where_both_tasks_train_on_them(names, target, shared, monkeypatch, tmp_path):
    from stilts_core.tasks.catalogue import get_task

    config = RunConfig(intermediate=names, target=target).resolved()
    tasks = [get_task(name) for name in config.intermediate_tasks]
    assert any(get_task(target).shares_training_with(task) for task in tasks) is shared


# --- joint training
def test_joint_phase_has_exactly_the_steps_of_both_and_one_head_for_the_target(do, monkeypatch):
    from stilts_core.runs import phases

    heads, train = [], phases.train
    monkeypatch.setattr(
        phases, "train", lambda *args, **rest: heads.append([t.name for t in args[1]]) or train(*args, **rest)
    )
    record = do(intermediate="qqp>mnli,pawsx", mixed=True, intermediate_epochs=2.0, target_epochs=3.0)
    assert heads == [["qqp"], ["udpos", "mnli", "pawsx"]]  # the target's head is never trained again
    assert [(phase.name, phase.reused) for phase in record.phases] == [("intermediate", False), ("joint", False)]
    joint = record.phases[1]
    assert joint.tasks == ["udpos", "mnli", "pawsx"] and joint.steps == 12 + 9 and joint.dev.keys() == set(joint.tasks)
    taken = Counter(point["task"] for point in joint.curve)
    assert taken["udpos"] == 9 and taken["mnli"] + taken["pawsx"] == 12
    assert record.row == "qqp>mnli+pawsx+mixed" and set(record.cards) == {"qqp", "mnli", "pawsx", "udpos"}
    assert record.scores.keys() == {"en", "qbe"}


def test_joint_phase_with_masked_language_modelling_as_its_task(do):
    record = do(intermediate="mlm", mixed=True, target_epochs=None, target_steps=4)
    taken = Counter(point["task"] for point in record.phases[0].curve)
    assert taken == {"udpos": 4, "mlm": 3} and record.phases[0].tasks == ["udpos", "mlm"]


def test_masked_language_modelling_stands_beside_every_step_of_a_joint_phase(do):
    record = do(intermediate="qqp", mixed=True, auxiliary="mlm", auxiliary_weight=0.5, text_languages="qbe")
    taken = Counter(point["task"] for point in record.phases[0].curve)
    assert taken == {"udpos": 3, "qqp": 3, "mlm": 6} and record.phases[0].tasks == ["udpos", "qqp"]


def test_joint_phase_begins_with_the_head_and_the_order_of_the_target_phase(do, monkeypatch):
    from stilts_core.runs import phases
    from stilts_core.training.schedule import Plan

    begun = []

    def watch(encoder, tasks, schedule, **_):
        plan = Plan(tasks, schedule)
        visits = [plan[step] for step in range(plan.steps)]
        order = [chosen.tolist() for task, chosen in visits if task.name == "udpos"]
        begun.append((order, [parameter.tolist() for parameter in tasks[0].head.parameters()]))
        raise KeyboardInterrupt

    monkeypatch.setattr(phases, "train", watch)
    for fields in ({"intermediate": "none"}, {"mixed": True}):
        with pytest.raises(KeyboardInterrupt):
            do(target_epochs=2.0, **fields)
    assert begun[0] == begun[1]


# --- frozen parts
@pytest.mark.parametrize("frozen", [None, 0, 2, 3])
def test_frozen_parts_stay_bitwise_and_all_other_parts_move(do, tiny_xlmr, frozen):
    record = do(intermediate="none", target_frozen=frozen, weight_decay=0.1, target_lr=1e-2)
    before = load_encoder(str(tiny_xlmr)).model.state_dict()
    layers = -1 if frozen is None else frozen
    folder = Path(record.folder) / "model"
    after = load_encoder(str(folder)).model.state_dict()
    for name, tensor in before.items():
        number = int(name.split(".")[2]) + 1 if name.startswith("encoder.layer") else 0
        is_same = torch.equal(tensor, after[name])
        if number <= layers:
            assert is_same, name
        elif not name.endswith("key.bias"):  # softmax leaves it no gradient
            assert not is_same, name


def test_frozen_phases_have_their_own_checkpoints_and_cost_less(do):
    whole, frozen = do(target="tatoeba", languages="qbe"), do(target="tatoeba", languages="qbe", intermediate_frozen=2)
    assert whole.phases[0].checkpoint != frozen.phases[0].checkpoint
    assert frozen.phases[0].flops == pytest.approx(whole.phases[0].flops * (3 + 1 + 1) / 9)


@pytest.mark.parametrize("name", ["intermediate_frozen", "target_frozen"])
def test_more_frozen_layers_than_the_encoder_has_are_an_error_before_data_are_read(do, monkeypatch, name):
    for reader in ("read_target", "read_intermediate"):
        monkeypatch.setattr(f"stilts_core.runs.pipeline.{reader}", lambda config: pytest.fail("data were read"))
    with pytest.raises(ConfigError, match=f"{name} is 4; .* has 3 layers, choose from 0 to 3"):
        do(**{name: 4})


def test_whole_encoder_frozen_under_a_task_without_head_is_an_error(tiny_xlmr):
    config = RunConfig(target="lareqa", target_frozen=3).resolved()
    with pytest.raises(
        ConfigError, match="target_frozen is 3, which freezes the whole encoder, and lareqa has no head"
    ):
        check_encoder(config, load_encoder(str(tiny_xlmr)))


# --- recipes of a profile
@pytest.fixture
def invented(monkeypatch) -> str:
    """A profile that gives steps and rates for some tasks."""
    own = {
        "intermediate_recipes": {"qqp": {"steps": 5, "lr": 1e-3}, "mnli": {"steps": 2, "lr": 3e-4}},
        "target_recipes": {"udpos": {"steps": 4, "lr": 2e-3}},
    }
    monkeypatch.setitem(PROFILES, "invented", PROFILES["lab"] | own)
    return "invented"


def recipe(record: Record) -> list[tuple[int, float]]:
    return [(phase.steps, max(point["lr"] for point in phase.curve)) for phase in record.phases]


def test_profile_gives_steps_and_rate_by_task(do, invented):
    open_fields = {"profile": invented, "intermediate_epochs": None, "target_epochs": None, "warmup": 0.0}
    assert recipe(do(**open_fields, intermediate="qqp")) == [(5, 1e-3), (4, 2e-3)]
    assert recipe(do(**open_fields, intermediate="qqp>mnli,qqp")) == [(5, 1e-3), (7, 3e-4), (4, 2e-3)]
    given = do(**open_fields, intermediate="qqp,mnli", intermediate_steps=3, target_lr=1e-4)
    assert recipe(given) == [(3, 3e-4), (4, 1e-4)]
    without = do(**open_fields, intermediate="qqp,panx", target="pawsx")  # panx has no recipe: the values for all tasks
    assert recipe(without) == [(18, 3e-4), (12, 1e-3)]


def test_masked_lm_in_a_chain_has_steps_and_a_rate_of_its_own(do):
    fields = {"intermediate": "mlm>qqp", "intermediate_epochs": None, "target_epochs": None, "warmup": 0.0,
              "intermediate_steps": 3, "target_steps": 2, "text_languages": "qal", "text_examples": 8}  # fmt: skip
    rates = {"intermediate_lr": 1e-3, "target_lr": 5e-4}
    assert recipe(do(**fields, **rates)) == [(3, 1e-3), (3, 1e-3), (2, 5e-4)]
    assert recipe(do(**fields, **rates, text_steps=5, text_lr=2e-3)) == [(5, 2e-3), (3, 1e-3), (2, 5e-4)]


def test_recipe_of_a_profile_decides_names_only_where_it_is_used(invented, monkeypatch):
    def names(intermediate: str, target: str) -> tuple[str, str]:
        config = RunConfig(profile=invented, intermediate=intermediate, target=target).resolved()
        return config.run_id(), config.checkpoint_id()

    before, other = names("mnli>qqp", "udpos"), names("qqp", "panx")
    monkeypatch.setitem(PROFILES[invented]["intermediate_recipes"], "mnli", {"steps": 9, "lr": 3e-4})
    after = names("mnli>qqp", "udpos")
    assert before[0] != after[0] and before[1] != after[1] and names("qqp", "panx") == other
    monkeypatch.setitem(PROFILES[invented]["target_recipes"], "udpos", {"steps": 9, "lr": 3e-4})
    assert names("mnli>qqp", "udpos")[0] != after[0] and names("mnli>qqp", "udpos")[1] == after[1]


def test_configuration_of_a_record_gives_the_same_run_again(do, invented):
    for fields in ({"profile": invented, "intermediate": "mnli>qqp"}, {"intermediate": "mnli", "mixed": True}):
        record = do(**fields, target_epochs=None, intermediate_epochs=None)
        again = read_record(Path(record.folder) / "record.json")
        assert RunConfig.from_dict(json.loads(again.to_json())["config"]).resolved() == record.config
        assert run(again.config).to_json() == record.to_json()
