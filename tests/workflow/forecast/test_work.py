"""The forecast of a phase against what the training loop does with invented data of the same lengths."""

import numpy as np
import pytest

from stilts_core.config import RunConfig
from stilts_core.encoders.sizes import XLMR_LARGE
from stilts_core.families.features import build_features
from stilts_core.families.head import Head
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.part_facts import input_lengths, part_size
from stilts_core.training.schedule import Plan, Schedule, TrainingTask
from stilts_core.workflow.forecast.work import PhaseForecast, Work, evaluation_work


def phase_work(phase: str = "intermediate", **values: object) -> Work:
    config = RunConfig.from_dict({"profile": "paper", "intermediate": "mnli", **values}).resolved()
    return PhaseForecast(config, phase, XLMR_LARGE).work()


def invented_task(name: str, count: int, length: int) -> TrainingTask:
    return TrainingTask(name, build_features([([0] * length, [0] * length)] * count), Head())


def test_phase_of_the_paper_has_the_steps_and_sub_words_of_its_recipe():
    lengths = input_lengths("publishers", "mnli", "train", 256)
    work, size = phase_work(), part_size("mnli", "train")
    assert work.steps == 3 * -(-size // get_task("mnli").paper.batch_size)
    assert work.tokens == pytest.approx(3 * size * lengths.sub_words, rel=1e-3)
    assert work.flops == pytest.approx(3 * XLMR_LARGE.count_flops(work.tokens, 3 * size * lengths.squares), rel=1e-3)


def test_steps_of_several_tasks_are_those_that_the_training_loop_draws():
    """Tasks are sampled in proportion to their size; each visit costs the mean length of the task's inputs."""
    given = {"intermediate_examples": 500, "batch_size": 32, "intermediate_epochs": 60, "sampling_temperature": 2.0}
    work = phase_work(intermediate="mnli,hellaswag", **given)
    lengths = [input_lengths("publishers", name, "train", 256) for name in ("mnli", "hellaswag")]
    tasks = [invented_task(f"{number}", 500, 4) for number, _ in enumerate(lengths)]
    schedule = Schedule(epochs=60, lr=1e-3, batch_size=32, seed=0, temperature=2.0)
    plan = Plan(tasks, schedule)
    tokens = 0.0
    for step in range(plan.steps):
        task, chosen = plan[step]
        tokens += len(chosen) * lengths[int(task.name)].sub_words
    assert work.steps == plan.steps
    assert work.tokens == pytest.approx(tokens, rel=0.05)  # the loop's choice of tasks is random


def test_frozen_layers_have_no_backward_pass():
    whole, frozen = phase_work(), phase_work(intermediate_frozen=XLMR_LARGE.layers)
    assert frozen.flops == pytest.approx(whole.flops / 3)


def test_text_beside_a_task_has_a_pass_in_every_step_and_the_head_of_masked_lm():
    alone, beside = phase_work(), phase_work(auxiliary="mlm")
    lengths = input_lengths("publishers", "text", "train", 256)
    text = (beside.tokens - alone.tokens) / (alone.steps * get_task("mnli").paper.batch_size)
    assert beside.steps == alone.steps and text == pytest.approx(lengths.sub_words / lengths.features)
    adversary = phase_work(auxiliary="reversal")
    assert alone.flops < adversary.flops < beside.flops and adversary.tokens == beside.tokens


def test_what_is_not_known_is_said_and_not_counted():
    ccg = phase_work(intermediate="ccg")
    assert ccg.flops == 0 and "size of the training part is not known" in ccg.unknown[0]
    assert phase_work(intermediate="ccg", intermediate_examples=1000).flops > 0
    mlm = phase_work(intermediate="mlm")
    assert mlm.flops == 0 and "masked LM alone is not counted" in mlm.unknown[0]
    assert phase_work(intermediate="mlm", intermediate_steps=100).steps == 100


def test_examples_are_at_most_those_of_the_published_part():
    assert phase_work(intermediate_examples=10**9) == phase_work()


def test_target_that_is_scored_without_training_has_no_phase_but_a_pass_over_its_sets():
    config = RunConfig(profile="paper", target="tatoeba").resolved()
    assert PhaseForecast(config, "target", XLMR_LARGE).work() == Work()
    work = evaluation_work(config, XLMR_LARGE)
    assert work.flops == pytest.approx(XLMR_LARGE.count_flops(work.tokens, 0), rel=0.05) and work.items > 36 * 1000


def test_laboratory_needs_no_published_sizes():
    config = RunConfig(intermediate="mlm", target="bucc2018").resolved()
    sizes = XLMR_LARGE
    assert PhaseForecast(config, "intermediate", sizes).work().unknown == ()
    assert evaluation_work(config, sizes).unknown == ()


def test_scoring_costs_a_forward_pass_in_each_language():
    few, all_of_them = (
        evaluation_work(RunConfig(profile="paper", target="xnli", languages=codes).resolved(), XLMR_LARGE)
        for codes in ("de,sw", "")
    )
    assert few.items == 2 * 5010 and all_of_them.items == 15 * 5010
    assert np.isclose(all_of_them.flops / few.flops, 7.5)
