"""The adversary and its kin: gradients by hand, distances by plain slow code, and what they do to a toy encoder."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn.functional import cross_entropy, softmax
from toy import make_auxiliary, make_texts

from stilts_core.families import auxiliary, language, mlm
from stilts_core.families.batches import Batch, collate
from stilts_core.families.features import build_features
from stilts_core.families.head import Head, initialise, mean_pool
from stilts_core.families.language import (
    MEMORY,
    ConfusionHead,
    Discriminator,
    MeansHead,
    MMDHead,
    add_languages,
    draw_labels,
)
from stilts_core.tasks.examples import TextExample
from stilts_core.training.compute import Compute
from stilts_core.training.loop import train
from stilts_core.training.schedule import Schedule, TrainingTask

SIZE, LANGUAGES = 6, 3
LEVELS = ["pooled", "token"]


@pytest.fixture(autouse=True)
def seeded(one_thread):
    torch.manual_seed(0)


@pytest.fixture
def batch() -> Batch:
    """Texts of 1 to 7 sub-words in three languages, the first of them twice as often as each of the others."""
    rng = np.random.default_rng(0)
    sequences = [([9] * length, [0] * length) for length in rng.integers(1, 8, size=12)]
    features = build_features(sequences, targets={"language": [0, 1, 0, 2] * 3})
    return collate(features, np.arange(12), pad=0)


@pytest.fixture
def hidden(batch) -> torch.Tensor:
    return torch.randn(*batch.ids.shape, SIZE, requires_grad=True)


def states_of(hidden: torch.Tensor, batch: Batch, level: str) -> list[tuple[torch.Tensor, int]]:
    """Every classified state with its language, by plain loops."""
    found = []
    for number, label in enumerate(batch.targets["language"].tolist()):
        real = [hidden[number, column] for column in range(batch.mask.shape[1]) if batch.mask[number, column]]
        found += [(sum(real) / len(real), label)] if level == "pooled" else [(state, label) for state in real]
    return found


# --- the adversary
@pytest.mark.parametrize("level", LEVELS)
def test_loss_of_a_discriminator_is_the_cross_entropy_of_every_state(level, hidden, batch):
    head = Discriminator(SIZE, LANGUAGES, level)
    plain = states_of(hidden, batch, level)
    logits = head.classifier(nn.functional.gelu(head.dense(torch.stack([state for state, _ in plain]))))
    labels = torch.tensor([label for _, label in plain])
    torch.testing.assert_close(head.loss(hidden, batch), cross_entropy(logits, labels, reduction="sum"))
    assert head.right == (logits.argmax(1) == labels).sum()
    assert head.count_terms(batch) == len(plain)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("weight", [0.0, 0.3, 2.0])
def test_reversal_turns_the_gradient_into_the_encoder_around_and_keeps_the_discriminators(level, weight, hidden, batch):
    head = Discriminator(SIZE, LANGUAGES, level)
    inputs = [hidden, *head.parameters()]
    plain, *own = torch.autograd.grad(head.loss(hidden, batch), inputs)
    loss = head.weighted_loss(hidden, batch, weight)
    reversed_gradient, *unchanged = torch.autograd.grad(loss, inputs)
    torch.testing.assert_close(reversed_gradient, -weight * plain)
    assert loss == head.loss(hidden, batch)
    assert all(torch.equal(one, other) for one, other in zip(own, unchanged, strict=True))


def test_random_labels_are_the_languages_of_other_texts_and_differ_by_seed():
    texts = [TextExample(str(i), ("en", "de", "sw")[i % 7 % 3], "") for i in range(300)]
    owners = np.repeat(np.arange(300), np.arange(300) % 3 + 1)  # long texts have several features
    features = build_features([([1], [0])] * len(owners), example=owners)
    true = add_languages(features, texts, ("en", "de", "sw")).targets["language"]
    labelled = add_languages(features, texts, ("en", "de", "sw"))
    drawn, again, other = (draw_labels(labelled, seed).targets["language"] for seed in (0, 0, 1))
    assert (drawn == again).all() and (drawn != other).any()
    first = np.searchsorted(owners, np.arange(300))
    assert sorted(drawn[first]) == sorted(true[first])  # as many texts of each label
    assert all(len(set(drawn[owners == text])) == 1 for text in range(300))
    expected = sum(np.mean(true[first] == label) ** 2 for label in range(3))
    assert np.mean(drawn[first] == true[first]) == pytest.approx(expected, abs=0.1)


# --- confusion
@pytest.mark.parametrize("level", LEVELS)
def test_confusion_trains_the_discriminator_on_languages_and_the_encoder_on_the_uniform_answer(level, hidden, batch):
    head = ConfusionHead(SIZE, LANGUAGES, level)
    loss = head.weighted_loss(hidden, batch, 0.3)
    into_encoder, *own = torch.autograd.grad(loss, [hidden, *head.parameters()])
    expected = torch.autograd.grad(head.loss(hidden.detach(), batch), list(head.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(own, expected, strict=True))
    answers = softmax(head(hidden, batch), 1)
    uniform = torch.full_like(answers, 1 / LANGUAGES)
    confusion = cross_entropy(head(hidden, batch), uniform, reduction="sum")
    torch.testing.assert_close(head.confusion(head.read(hidden, batch)), confusion)
    torch.testing.assert_close(into_encoder, 0.3 * torch.autograd.grad(confusion, hidden)[0])
    assert loss == head.loss(hidden, batch)


def test_confusion_is_least_where_the_answer_is_the_uniform_distribution(hidden, batch):
    head = ConfusionHead(SIZE, LANGUAGES)
    states = nn.Parameter(hidden.detach().clone())
    optimiser = torch.optim.Adam([states], lr=0.3)
    for _ in range(300):
        optimiser.zero_grad()
        head.confusion(head.read(states, batch)).backward()
        optimiser.step()
    torch.testing.assert_close(softmax(head(states, batch), 1), torch.full((12, LANGUAGES), 1 / 3), atol=2e-3, rtol=0)
    least = 12 * np.log(LANGUAGES)
    assert head.confusion(head.read(states, batch)).item() == pytest.approx(least, rel=1e-5)
    assert head.confusion(head.read(hidden, batch)).item() > least


# --- matching of means
def plain_mmd(states: list[tuple[torch.Tensor, float, int]], reference: int | None) -> torch.Tensor:
    """The mean over languages of the squared MMD with the kernel k(x, y) = x · y, by sums over all pairs."""

    def kernel(ones, others):
        total = sum(w * v * (x @ y) for x, w in ones for y, v in others)
        return total / sum(w for _, w in ones) / sum(v for _, v in others)

    distances = []
    for code in sorted({label for *_, label in states} - {reference}):
        own = [(x, w) for x, w, label in states if label == code]
        rest = [(x, w) for x, w, label in states if (label != code if reference is None else label == reference)]
        distances.append(kernel(own, own) + kernel(rest, rest) - 2 * kernel(own, rest))
    return sum(distances) / len(distances)


@pytest.mark.parametrize("reference", [0, 2, None])
@pytest.mark.parametrize("level", LEVELS)
def test_mmd_is_that_of_a_linear_kernel_by_plain_sums_over_pairs(level, reference, hidden, batch):
    head = MMDHead(SIZE, LANGUAGES, level, reference=reference)
    loss = head.contrastive_loss(head(hidden, batch), batch.targets) / head.count_terms(batch)
    states = [(state, 1.0, label) for state, label in states_of(hidden, batch, level)]
    expected = plain_mmd(states, reference)
    torch.testing.assert_close(loss, expected)
    gradients = (torch.autograd.grad(value, hidden)[0] for value in (loss, expected))
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_step_without_english_compares_each_language_with_the_others(hidden, batch):
    targets = {"language": torch.tensor([1, 2, 2] * 4)}
    losses = [
        head.contrastive_loss(head(hidden, batch), targets)
        for head in (MMDHead(SIZE, LANGUAGES, reference=reference) for reference in (0, None))
    ]
    assert losses[0] > 0 and torch.equal(*losses)


@pytest.mark.parametrize("reference", [0, 1, None])
def test_step_with_one_language_has_no_mmd(reference, hidden, batch):
    head = MMDHead(SIZE, LANGUAGES, reference=reference)
    loss = head.contrastive_loss(head(hidden, batch), {"language": torch.tensor([1] * 12)})
    assert loss == 0 and torch.autograd.grad(loss, hidden)[0].abs().sum() == 0


@pytest.mark.parametrize("level", LEVELS)
def test_running_means_and_their_gradient_are_those_of_plain_arithmetic(level, hidden, batch):
    head, running = MeansHead(SIZE, 4, level), {}
    for labels in ([0, 1] * 6, [2, 1, 1, 2] * 3, [0] * 12):  # language 3 never comes
        targets = {"language": torch.tensor(labels)}
        batch.targets = targets
        by_language: dict[int, list] = {}
        for state, label in states_of(hidden, batch, level):
            by_language.setdefault(label, []).append(state)
        means = {label: sum(states) / len(states) for label, states in by_language.items()}
        for label, mean in means.items():
            own = mean.detach()
            running[label] = MEMORY * running[label] + (1 - MEMORY) * own if label in running else own
        centre = sum(running.values()) / len(running)
        loss = head.contrastive_loss(head(hidden, batch), targets) / head.count_terms(batch)
        expected = sum(((mean - centre) ** 2).sum() for mean in running.values()) / len(running)
        torch.testing.assert_close(loss.detach(), expected)
        pull = sum((2 * (running[label] - centre)) @ mean for label, mean in means.items()) / len(running)
        gradients = (torch.autograd.grad(value, hidden)[0] for value in (loss, pull))
        torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


# --- the features
def test_features_have_the_language_of_their_text_as_target(encoder):
    made = make_auxiliary(encoder, "reversal", 30)
    assert made.languages == ("en", "de", "sw")
    codes = [text.language for text in make_texts(30, ("en", "de", "sw"))]
    assert [made.languages[number] for number in made.features.targets["language"]] == codes


def test_features_of_masked_language_modelling_have_no_language(encoder):
    texts = make_texts(12, ("en", "de"))
    features = mlm.make_features(texts, encoder.tokenizer, 64)
    made = auxiliary.make_auxiliary("mlm", texts, features)
    assert made.features.digest() == features.digest() and made.groups.tolist() == [0, 1] * 6


# --- what it does
WORDS, WIDTH = 24, 12


class ToyEncoder:
    """Vectors of words: a meaning, with noise, plus an offset of the language."""

    tokenizer = SimpleNamespace(pad=0)

    def __init__(self) -> None:
        meanings, offset = torch.randn(WORDS, WIDTH), torch.full((WIDTH,), 0.5)
        vectors = torch.cat([meanings + offset, meanings - offset])
        self.model = nn.Embedding.from_pretrained(vectors + 0.5 * torch.randn_like(vectors), freeze=False)

    @property
    def word_embeddings(self) -> torch.Tensor:
        return self.model.weight

    def freeze(self, layers: int | None) -> None:
        assert layers is None

    def hidden(self, ids: torch.Tensor, layer: int | None = None, **_) -> torch.Tensor:
        return self.model(ids)


class MeaningHead(Head):
    """Whether the first word of a text is one of the first half of the meanings."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = initialise(nn.Linear(WIDTH, 2))

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return cross_entropy(self.classifier(hidden[:, 0]), batch.targets["label"], reduction="sum")


def toy_texts(seed: int, languages: tuple[int, ...], count: int = 256):
    """Texts of four words; `label` is the half of the first word's meaning."""
    rng = np.random.default_rng(seed)
    codes, words = rng.choice(languages, size=count), rng.integers(WORDS, size=(count, 4))
    sequences = [((row + WORDS * code).tolist(), [0] * 4) for row, code in zip(words, codes, strict=True)]
    return build_features(sequences, targets={"language": codes, "label": (words[:, 0] < WORDS // 2).astype(int)})


def probe(encoder: ToyEncoder, level: str) -> float:
    """The held-out accuracy of a fresh linear probe that reads the language from frozen states."""
    states, labels = [], []
    for seed in (8, 9):
        batch = collate(toy_texts(seed, (0, 1)), np.arange(256), 0)
        with torch.no_grad():
            hidden = encoder.hidden(batch.ids)
        states.append((mean_pool(hidden, batch.mask) if level == "pooled" else hidden.flatten(0, 1)).numpy())
        labels.append(np.repeat(batch.targets["language"].numpy(), 1 if level == "pooled" else 4))
    return LogisticRegression(max_iter=500).fit(states[0], labels[0]).score(states[1], labels[1])


def probe_after(name: str, level: str, weight: float) -> float:
    """The accuracy of a fresh probe after training on meanings in one language with `name` beside it, in both."""
    encoder, texts = ToyEncoder(), toy_texts(0, (0, 1))
    task = TrainingTask("meaning", toy_texts(1, (0,)), MeaningHead())
    more = {"reference": 0} if name == "mmd" else {}
    head = auxiliary.HEADS[name](WIDTH, 2, level, **more)
    features = language.draw_labels(texts, 3) if name == "random_labels" else texts
    schedule = Schedule(epochs=12, lr=1e-2, batch_size=32, seed=0, weight_decay=0.0, auxiliary_weight=weight)
    train(encoder, [task], schedule, compute=Compute(), beside=TrainingTask(name, features, head))
    return probe(encoder, level)


@pytest.mark.parametrize("level", LEVELS)
def test_fresh_probe_finds_the_language_less_often_after_reversal_and_as_often_after_random_labels(level):
    before = probe_after("reversal", level, 0.0)
    assert before > 0.97
    assert probe_after("reversal", level, 3.0) < before - 0.12
    assert probe_after("random_labels", level, 3.0) > before - 0.06


@pytest.mark.parametrize("name", ["confusion", "mmd", "means"])
def test_fresh_probe_finds_the_language_less_often_after_the_adversarys_kin(name):
    assert probe_after(name, "token", 3.0) < 0.9
