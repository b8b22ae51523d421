"""Independent judges of what a text reveals about its label: linear models over bags of words and bigrams."""

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import SGDClassifier


def accuracy(train: tuple[list[str], list], test: tuple[list[str], list]) -> float:
    """Return the accuracy, 0 to 100, on `test` of a linear model trained on `train`; both are (texts, labels)."""
    counts = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", binary=True)
    model = SGDClassifier(loss="log_loss", alpha=1e-4, random_state=0).fit(counts.fit_transform(train[0]), train[1])
    return 100 * float(np.mean(model.predict(counts.transform(test[0])) == np.array(test[1])))


def choice_accuracy(train: list, test: list) -> float:
    """Return the accuracy, 0 to 100, of a linear model that sees neither context nor question.

    It picks the choice that looks most like the right choices of `train`.
    """
    counts = CountVectorizer(ngram_range=(1, 2), token_pattern=r"\S+", binary=True)
    texts = [choice for example in train for choice in example.choices]
    right = [index == example.label for example in train for index in range(len(example.choices))]
    model = SGDClassifier(loss="log_loss", alpha=1e-4, random_state=0).fit(counts.fit_transform(texts), right)
    picked = [model.decision_function(counts.transform(example.choices)).argmax() for example in test]
    return 100 * float(np.mean([index == example.label for index, example in zip(picked, test, strict=True)]))
