"""Records that this version can show: those of runs, and those of pretrained encoders.

A record may come from elsewhere, or from another version. What the report takes from it to look up a task or a
language, to name a file, or to draw a figure is checked here, once, so that no page has to.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stilts_core.config import LABORATORY, PROFILES
from stilts_core.errors import ConfigError, RecordError
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.laboratory.languages import get_language
from stilts_core.report.analysis.centring import all_scores
from stilts_core.report.tables.titles import row_title
from stilts_core.runs.record import Amount, Count, Record, Score, read_record, value_of
from stilts_core.tasks.auxiliaries import AUXILIARIES
from stilts_core.tasks.catalogue import get_task

LONGEST_REASON = 300  # characters of a message that may quote a record


class _LanguageFacts(BaseModel):
    """What the report reads of one language of a pretraining."""

    model_config = ConfigDict(allow_inf_nan=False)

    texts: Count
    distance: Amount
    mlm_loss: Amount
    retrieval: list[Score] = Field(min_length=1)


class _EncoderFacts(BaseModel):
    """What the report reads of a pretrained encoder's record."""

    model_config = ConfigDict(allow_inf_nan=False)

    name: str = Field(pattern=r"^lab(-wide)?(-[0-9]{1,18})?$")
    seconds: Amount
    tokens: Count
    parameters: Count
    candidates: Count
    languages: dict[str, _LanguageFacts]


def read_known(path: Path) -> Record:
    """A record whose tasks, languages and profile are those of this version.

    Raises RecordError as `read_record`, and for a record that no table of this version can show.
    """
    record = read_record(path)
    try:
        if {record.profile, record.config.profile} - PROFILES.keys():
            raise ConfigError(f"no profile '{record.profile}'; known: {', '.join(PROFILES)}")
        if not get_task(record.target).is_target:
            raise ConfigError(f"{record.target!r} is not a target task")
        row_title(record.row)
        for task in [*record.cards, *(task for phase in record.phases for task in phase.tasks)]:
            if task not in AUXILIARIES:
                get_task(task)
        states = [code for scores in all_scores(record) for code in scores]
        states += record.language_measures.texts if record.language_measures else ()
        states += record.language_measures.before.mlm_loss if record.language_measures else ()
        scored = {*record.scores, *record.unscored, *record.layers, *states}
        for code in scored | {mistake.language for mistake in record.errors}:
            get_language(code)
        if record.config.data_source == LABORATORY and (others := sorted(scored - LANGUAGES.keys())):
            raise ConfigError(f"no language {others[0]!r} in the laboratory")
        _check_numbers(record)
    except ConfigError as error:
        raise RecordError(
            f"{path} cannot be shown: {str(error)[:LONGEST_REASON]}; delete it, or use the version that wrote it"
        ) from error
    return record


def _check_numbers(record: Record) -> None:
    """Raise ConfigError for numbers that do not go together in a figure or a mean."""
    if len({len(states) for states in record.layers.values()}) > 1:
        raise ConfigError("its languages have different numbers of hidden states")
    states = [own for scores in all_scores(record) for own in scores.values()]
    if record.retrieval and {len(own) for own in states} - {record.encoder.layers + 1}:
        raise ConfigError("its retrieval scores are not those of its encoder's hidden states")
    if record.retrieval and not 0 <= record.retrieval.state <= record.encoder.layers:
        raise ConfigError(f"its encoder has no hidden state {record.retrieval.state}")


def read_encoder(path: Path) -> dict[str, Any]:
    """A pretrained encoder's record, at PROFILE/encoders/NAME.json.

    Raises RecordError for one that no figure of this version can show, and for an encoder of another profile: means
    over encoders are those of one recipe.
    """
    remedy = "restore this file, or delete it alone"
    try:
        text = path.read_text(encoding="utf-8")
        facts = _EncoderFacts.model_validate_json(text)
        content = json.loads(text)
        json.dumps(content, allow_nan=False)
    except (ValidationError, ValueError, RecursionError) as error:
        reason = _first_reason(error) if isinstance(error, ValidationError) else type(error).__name__
        raise RecordError(f"{path} is not the record of an encoder ({reason}); {remedy}") from error
    if (profile := re.sub(r"-[0-9]+$", "", facts.name)) != path.parents[1].name:
        raise RecordError(f"{path} is the record of an encoder of {profile}; move it to {profile}/encoders/")
    if unlike := _difference_from_design(facts):
        raise RecordError(f"{path} cannot be shown: {unlike}; {remedy}")
    return content


def _first_reason(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = repr(".".join(map(str, first["loc"])))[1:-1]
    return f"{place}: {first['msg']}{value_of(first)}"[:LONGEST_REASON]


def _difference_from_design(facts: _EncoderFacts) -> str | None:
    """Why the figures cannot show an encoder beside others; None if they can."""
    if unknown := sorted(facts.languages.keys() - LANGUAGES.keys()):
        return f"no language {unknown[0][:40]!r} in the laboratory"
    if not facts.languages.keys() - {"en"}:
        return "it has no language besides English"
    if not any(language.texts for language in facts.languages.values()):
        return "it was pretrained on no text"
    if len({len(language.retrieval) for language in facts.languages.values()}) > 1:
        return "its languages have different numbers of hidden states"
    return None


def alike(encoders: Iterable[dict]) -> list[dict]:
    """The encoders that have the same languages and as many hidden states as the first, so that means exist."""
    forms = [
        (encoder, {code: len(own["retrieval"]) for code, own in encoder["languages"].items()}) for encoder in encoders
    ]
    return [encoder for encoder, form in forms if form == forms[0][1]]
