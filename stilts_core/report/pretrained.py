"""What the laboratory's encoders could do before any fine-tuning: MLM loss by language, retrieval by hidden state."""

from collections.abc import Sequence

import numpy as np

from stilts_core.report import transfer_figures
from stilts_core.report.pages import Pages


def sections(encoders: Sequence[dict], pages: Pages) -> list[str]:
    """Two figures with what they say, as MyST, from the encoders' pretraining records; several seeds are averaged."""
    languages, first = encoders[0]["languages"], encoders[0]
    losses, sweeps = _means(encoders, "mlm_loss"), _means(encoders, "retrieval")
    others = np.array([sweep for code, sweep in sweeps.items() if code != "en"])
    best = int(others.mean(axis=0).argmax())
    pages.write("generated/pretraining-loss.svg", transfer_figures.losses(losses, _said(languages, losses)))
    title = f"Before fine-tuning, hidden state {best} retrieves best: {others.mean(axis=0)[best]:.1f} on average"
    seen = {code: facts["texts"] > 0 for code, facts in languages.items()}
    drawn = transfer_figures.retrieval(sweeps, seen, first["candidates"], title)
    pages.write("generated/pretraining-retrieval.svg", drawn)
    lines = [
        [code, facts["texts"], f"{facts['distance']:.4f}", f"{losses[code]:.4f}", *(f"{x:.4f}" for x in sweeps[code])]
        for code, facts in languages.items()
    ]
    columns = ["language", "texts", "distance", "mlm_loss", *(f"state_{state}" for state in range(others.shape[1]))]
    path = pages.table("pretraining", columns, lines)
    count = (
        "One encoder, of one seed" if len(encoders) == 1 else f"{len(encoders)} encoders of different seeds, averaged"
    )
    return [
        "## What could the encoder do before any fine-tuning?",
        f"{count}: {first['parameters']:,} parameters that read {first['tokens']:,} sub-words in "
        f"{first['seconds']:.0f} s. The loss is on held-out text of each language.",
        "![MLM loss of each language against the size of its pretraining text.](generated/pretraining-loss.svg)",
        f"A sentence and its English translation should lie near each other. Among {first['candidates']} English "
        "sentences the nearest by cosine of mean-pooled states is taken, from every hidden state in turn.",
        "![Retrieval accuracy of every language from every hidden state.](generated/pretraining-retrieval.svg)",
        f"{{download}}`CSV <{path}>`",
    ]


def _means(encoders: Sequence[dict], measure: str) -> dict[str, np.ndarray]:
    """A measure of each language, averaged over the encoders."""
    return {
        code: np.mean([encoder["languages"][code][measure] for encoder in encoders], axis=0)
        for code in encoders[0]["languages"]
    }


def _said(languages: dict[str, dict], losses: dict[str, np.ndarray]) -> str:
    seen = [losses[code] for code, facts in languages.items() if facts["texts"]]
    unseen = [losses[code] for code, facts in languages.items() if not facts["texts"]]
    said = f"A masked sub-word costs {np.mean(seen):.1f} nats in languages that were read"
    return said + f", {np.mean(unseen):.1f} in others" * bool(unseen)
