"""What may be set for each run of a compiled pipeline: TFX's runtime parameters.

A runner takes them by the options of the command line, `--data PATH` and `--set train.epochs=5`;
inside the pipeline and its orchestrators each has a name without dots.
"""

from collections.abc import Iterable
from typing import NamedTuple

from components.image_example_gen import source
from pipeline import config
from pipeline.errors import UserError


class RunParameter(NamedTuple):
    """A value that a run may have of its own.

    Attributes:
      name: In the pipeline and its orchestrators.
      setting: The setting it is the value of, or none for the data path.
      type: What a value is.
      description: For people.
    """

    name: str
    setting: str | None
    type: type[str] | type[int]
    description: str


def _of(setting: str) -> RunParameter:
    field = config.names()[setting]
    return RunParameter(setting.replace(".", "_"), setting, int, field.description)


DATA = RunParameter("data", None, str, "Path of the labelled images, {SPAN} and {VERSION} allowed.")
SPAN = _of("data.span")
EPOCHS = _of("train.epochs")
ALL = (DATA, SPAN, EPOCHS)


def values(data: str | None, assignments: Iterable[str]) -> dict[str, str | int]:
    """Reads the parameters of a run from its options.

    Args:
      data: What `--data` names, or none for that of the compiled pipeline.
      assignments: What `--set` gives, `section.key=value`.

    Returns:
      Values by the parameters' names, of those that were given.

    Raises:
      UserError: A value does not fit, or a setting is not to be changed for a run.
    """
    found: dict[str, str | int] = {}
    if data is not None:
        found[DATA.name] = absolute(data)
    by_setting = {one.setting: one for one in ALL if one.setting}
    for assignment in assignments:
        settings = config.as_dict(config.load(assignments=[assignment]))
        setting = assignment.partition("=")[0].strip()
        if setting not in by_setting:
            raise UserError(
                f"{setting} is compiled into the pipeline; compile it again to change it. A run "
                f"may have its own {', '.join(by_setting)} and --data."
            )
        section, key = setting.split(".")
        found[by_setting[setting].name] = settings[section][key]
    return found


def absolute(data: str) -> str:
    """A data path that means the same in every process.

    Raises:
      UserError: It is empty, or of a home folder that is not known.
    """
    return str(source.absolute(data))
