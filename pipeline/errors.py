"""The errors a person can cause, each with the exit code the command line answers with."""


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
