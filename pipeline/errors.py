"""The errors a person can cause, each with the exit code the command line answers with."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager


class PipelineError(Exception):
    """An outcome that is told in one sentence rather than a stack trace."""

    exit_code = 1


class UserError(PipelineError):
    """A bad file, setting or argument; the message says which, what is wrong and what to do."""

    exit_code = 1


class DataAnomalyError(PipelineError):
    """The data failed validation; the message has one line per anomaly."""

    exit_code = 2


class NotBlessedError(PipelineError):
    """The model missed a threshold and was not pushed; the message has one line per threshold."""

    exit_code = 3


class ComponentError(PipelineError):
    """A component failed for a reason that is not the user's; trying again may help."""


@contextmanager
def one_sentence(log: str) -> Iterator[None]:
    """Tells any failure of a run in one sentence, and its trace on standard error.

    Args:
      log: Where standard error goes, for the sentence.

    Raises:
      ComponentError: Something other than a PipelineError was raised.
    """
    try:
        yield
    except PipelineError:
        raise
    except Exception as error:
        traceback.print_exc()
        first = str(error).strip().splitlines() or [""]
        raise ComponentError(
            f"The run failed: {type(error).__name__}: {first[0][:300]}. {log} has the whole of it."
        ) from None
