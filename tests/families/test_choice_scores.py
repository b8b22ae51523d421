"""Multiple-choice scores against scikit-learn."""

import random

from sklearn.metrics import accuracy_score

from stilts_core.catalogue import task
from stilts_core.families.choice import ChoiceExample, grade
from stilts_core.families.setting import Setting


def test_accuracy_equals_scikit_learn_with_any_number_of_choices():
    rng = random.Random(0)
    examples = [
        ChoiceExample(str(i), "et", "c", "q", choices, rng.randrange(len(choices)), str(i))
        for i, choices in enumerate(rng.choices([("a", "b"), ("a", "b", "c", "d")], k=300))
    ]
    predictions = [rng.randrange(len(example.choices)) for example in examples]
    score = grade(examples, predictions, Setting(task("xcopa")), "et")
    oracle = 100 * accuracy_score([example.label for example in examples], predictions)
    assert abs(score.metrics["accuracy"] - oracle) < 1e-9
