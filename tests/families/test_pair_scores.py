"""Sentence-pair scores against scikit-learn."""

import random

from sklearn.metrics import accuracy_score

from stilts_core.catalogue import task
from stilts_core.families.pair import PairExample, grade
from stilts_core.families.setting import Setting


def test_accuracy_equals_scikit_learn():
    rng = random.Random(0)
    setting = Setting(task("xnli"))
    for size in (1, 7, 500):
        gold, predictions = (rng.choices(setting.task.labels, k=size) for _ in range(2))
        examples = [PairExample(str(i), "de", "a", "b", label, str(i)) for i, label in enumerate(gold)]
        score = grade(examples, predictions, setting, "de")
        assert score.n == size
        assert abs(score.metrics["accuracy"] - 100 * accuracy_score(gold, predictions)) < 1e-9
