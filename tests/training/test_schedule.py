"""The learning rate of each step, and the task and features of each step."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from toy import make_training_task

from stilts_core.families.features import build_features
from stilts_core.families.head import Head
from stilts_core.runs.encoders import load_encoder
from stilts_core.training.batching import GroupSampling
from stilts_core.training.schedule import Plan, Schedule, TrainingTask

SCHEDULE = Schedule(epochs=2, lr=1e-3, batch_size=4, seed=3)


@pytest.fixture
def encoder(tiny_xlmr):
    return load_encoder(str(tiny_xlmr))


# --- the learning rate
@pytest.mark.parametrize("steps", [1, 2, 5, 11, 25, 64, 1000])
@pytest.mark.parametrize("warmup", [0.0, 0.06, 0.1, 0.5, 1.0])
def test_learning_rate_rises_to_its_peak_and_falls_towards_zero(steps, warmup):
    schedule = replace(SCHEDULE, warmup=warmup)
    rates = np.array([schedule.lr_at(step, steps) for step in range(steps)])
    peak = rates.argmax()
    assert rates.max() == pytest.approx(schedule.lr)
    assert (np.diff(rates[: peak + 1]) > 0).all() and (np.diff(rates[peak:]) <= 1e-12).all()
    assert peak + 1 == pytest.approx(max(1, warmup * steps), abs=0.5)
    assert rates.min() > 0
    if warmup < 1:
        assert rates[-1] == pytest.approx(schedule.lr / (steps - round(warmup * steps)))


# --- the plan
@pytest.fixture
def tasks(encoder):
    return [make_training_task(encoder, name, size) for name, size in (("mnli", 21), ("udpos", 64), ("hellaswag", 43))]


def chosen_by_task(plan: Plan) -> dict[str, list[np.ndarray]]:
    chosen = {task.name: [] for task in plan.tasks}
    for step in range(plan.steps):
        task, features = plan[step]
        chosen[task.name].append(features)
    return chosen


def test_every_epoch_of_every_task_contains_each_feature_once(tasks):
    plan = Plan(tasks, replace(SCHEDULE, epochs=5))
    for task in tasks:
        batches = chosen_by_task(plan)[task.name]
        per_epoch = -(-len(task.features) // SCHEDULE.batch_size)
        assert len(batches) >= 2 * per_epoch
        starts = range(0, len(batches) - per_epoch + 1, per_epoch)
        epochs = [np.concatenate(batches[start : start + per_epoch]).tolist() for start in starts]
        assert all(sorted(epoch) == list(range(len(task.features))) for epoch in epochs)
        assert epochs[0] != epochs[1]


def test_number_of_steps_follows_from_epochs_and_batch_size(tasks):
    assert Plan(tasks[:1], SCHEDULE).steps == 12  # 2 x 21 features in batches of 4, the last of each epoch smaller
    assert Plan(tasks, SCHEDULE).steps == 12 + 32 + 22
    assert Plan(tasks, replace(SCHEDULE, cap=30)).steps == 12 + 16 + 16
    assert Plan(tasks[:1], SCHEDULE, steps=7).steps == 7


@given(st.integers(1, 60), st.integers(1, 7), st.integers(1, 9))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_steps_and_the_epochs_that_have_as_many_are_one_plan(size, epochs, batch_size):
    task = TrainingTask("toy", build_features([([0] * (1 + i % 5), [0] * (1 + i % 5)) for i in range(size)]), Head())
    by_epochs = replace(SCHEDULE, epochs=epochs, batch_size=batch_size)
    by_steps = replace(by_epochs, epochs=0.5, steps=epochs * -(-size // batch_size))
    assert by_steps.count_epochs([size]) == epochs
    plans = [Plan([task], schedule) for schedule in (by_epochs, by_steps)]
    assert plans[0].steps == plans[1].steps
    assert all(plans[0][step][1].tolist() == plans[1][step][1].tolist() for step in range(plans[0].steps))


def test_joint_phase_visits_its_first_task_exactly_as_often_and_as_it_is_visited_alone(tasks):
    alone, others = Plan(tasks[:1], replace(SCHEDULE, steps=17)), 5000
    joint = Plan(tasks, replace(SCHEDULE, steps=17 + others, first_task_steps=17))
    visits = chosen_by_task(joint)
    assert [features.tolist() for features in visits["mnli"]] == [alone[step][1].tolist() for step in range(17)]
    counts = [len(visits["udpos"]), len(visits["hellaswag"])]
    assert sum(counts) == others and chisquare(counts, others * np.array([64, 43]) / 107).pvalue > 0.001
    places = np.flatnonzero(joint.task_of_step == 0)
    assert places.min() < joint.steps / 2 < places.max()
    with_one = Plan(tasks[:2], replace(SCHEDULE, steps=9, first_task_steps=4))
    assert sorted(with_one.task_of_step) == [0] * 4 + [1] * 5


@pytest.mark.parametrize(
    ("changes", "shares"),
    [({}, [21, 64, 43]), ({"cap": 30}, [21, 30, 30]), ({"temperature": 2.0}, [21**0.5, 64**0.5, 43**0.5])],
)
def test_tasks_are_sampled_in_proportion_to_their_shares(tasks, changes, shares):
    plan = Plan(tasks, replace(SCHEDULE, **changes), steps=2000)
    visits, shares = np.bincount(plan.task_of_step), np.array(shares)
    assert chisquare(visits, 2000 * shares / shares.sum()).pvalue > 0.001


def test_plan_depends_only_on_its_seed_and_not_on_the_order_of_access(tasks):
    plan, again, other = (Plan(tasks, replace(SCHEDULE, seed=seed)) for seed in (3, 3, 4))
    forward = [plan[step] for step in range(plan.steps)]
    order = np.random.default_rng(0).permutation(plan.steps)
    for step in order:
        task, features = again[step]
        assert task.name == forward[step][0].name
        assert features.tolist() == forward[step][1].tolist()
    assert other.task_of_step.tolist() != plan.task_of_step.tolist()


# --- what stands beside the tasks
def test_rising_weight_is_that_of_domain_adversarial_training():
    rising = replace(SCHEDULE, auxiliary_weight=0.4, auxiliary_rises=True)
    weights = [rising.auxiliary_weight_at(step, 200) for step in range(200)]
    np.testing.assert_allclose(weights, 0.4 * (2 / (1 + np.exp(-10 * np.arange(200) / 200)) - 1), rtol=1e-12)
    assert weights[0] == 0 and weights[-1] == pytest.approx(0.4, abs=1e-4) and (np.diff(weights) > 0).all()
    assert {replace(SCHEDULE, auxiliary_weight=0.4).auxiliary_weight_at(step, 200) for step in (0, 50, 199)} == {0.4}


def test_steps_visit_the_groups_of_a_task_by_their_shares(encoder):
    task = make_training_task(encoder, "mnli", 40)
    groups = (np.arange(40) >= 30).astype(int)
    task.sampling = GroupSampling(groups, np.array([0.5, 0.5]))
    plan = Plan([task], replace(SCHEDULE, epochs=3))
    visited = np.concatenate([plan[step][1] for step in range(plan.steps)])
    assert len(visited) == 120 and groups[visited].mean() == 0.5
    task.sampling = None
    whole = np.concatenate([Plan([task], SCHEDULE)[step][1] for step in range(10)])
    assert sorted(whole) == list(range(40))
