"""Errors that a user can act on: every message names what is wrong, the value, and the remedy."""


class StiltsError(Exception):
    """The base of all errors that the `stilts` command prints without a traceback."""


class ConfigError(StiltsError, ValueError):
    """A configuration that cannot run; the message names the field, its value and what would be right."""


class DataError(StiltsError, ValueError):
    """Data that cannot be used; the message names the file, the line or id, the value and the remedy."""


class DataNotFound(DataError):
    """Data that is neither under the data root nor on a hub that can be reached; the message lists the files."""


class EncoderError(StiltsError, ValueError):
    """An encoder that cannot be used; the message names it and says what would be right."""


class TrainingError(StiltsError, RuntimeError):
    """Training that cannot continue; the message names the step, the task and the remedy."""


class CheckpointError(StiltsError, ValueError):
    """A damaged checkpoint; the message names the folder and the remedy."""


class RecordError(StiltsError, ValueError):
    """A record that cannot be read; the message names the file and the remedy."""


class RunError(StiltsError, RuntimeError):
    """A run that failed in its notebook; the message names the error and the notebook that shows where."""


class SweepError(StiltsError, RuntimeError):
    """A sweep that cannot begin, or that had failed runs; the message says which runs failed and why."""


class BenchError(StiltsError, RuntimeError):
    """A benchmark that failed; the message says what failed and how to continue."""
