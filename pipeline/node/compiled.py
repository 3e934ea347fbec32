"""The compiled pipeline as a file: what an orchestrator needs, readable without TFX."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.config import Settings
from pipeline.errors import UserError
from pipeline.workspace import Workspace

_AGAIN = "compile it again with python -m pipeline.node compile"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Node(_Model):
    """A component, or a resolver, of the pipeline."""

    id: str = Field(description="Unique in the pipeline.")
    type: str = Field(description="Dotted name of its class.")
    upstream: list[str] = Field(description="Ids of the nodes that must have run.")
    gate: bool = Field(description="It may stop the run, or keep a model from being pushed.")


class Parameter(_Model):
    """What may be set for each run."""

    name: str
    option: str = Field(description="How `pipeline.node run` is given it, up to the value.")
    type: Literal["string", "integer"]
    description: str


class CompiledPipeline(_Model):
    """The compiled pipeline."""

    format: Literal[1] = 1
    name: str = Field(description="Name in ML Metadata.")
    workspace: Path
    program: list[str] = Field(description="Command that runs `pipeline.node`.")
    directory: Path = Field(description="Working directory of the program.")
    drawn: bool = Field(description="Its data are the drawn sample, and can't be others.")
    code: str = Field(description="Fingerprint of the code it was compiled from.")
    watch: str | None = Field(
        description="Glob of where new data land, if a scheduler shall look for them."
    )
    parallel: bool = Field(description="Whether several nodes may run at once.")
    parameters: list[Parameter] = Field(description="Those that a run may have its own value of.")
    values: dict[str, str | int] = Field(description="Of all runtime parameters, by name.")
    nodes: list[Node] = Field(description="In an order that can be run.")
    settings: dict[str, Any]
    ir: dict[str, Any] = Field(description="TFX's `Pipeline` message, as JSON.")

    def write(self, path: Path) -> None:
        """Writes it, whole or not at all, for a scheduler may read it at any time."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> "CompiledPipeline":
        """Reads it.

        Raises:
          UserError: It is not there, or not what `write` has written.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(
                f"The compiled pipeline {path} can't be read: {error.strerror}; write it with "
                "python -m pipeline.node compile."
            ) from None
        except (ValidationError, UnicodeDecodeError):
            raise UserError(
                f"{path} is not a compiled pipeline of this version; {_AGAIN}."
            ) from None

    def check_run(self, node_id: str, values: Mapping[str, str | int]) -> None:
        """Checks what a run of a node is asked for.

        Args:
          node_id: The node.
          values: Runtime parameters that are not as compiled, by name.

        Raises:
          UserError: There is no such node, or a parameter is not open to runs.
        """
        ids = [node.id for node in self.nodes]
        if node_id not in ids:
            raise UserError(
                f"The pipeline has no node {node_id!r}; its nodes are {', '.join(ids)}."
            )
        if unknown := sorted(values.keys() - {parameter.name for parameter in self.parameters}):
            raise UserError(
                "The pipeline was compiled for the drawn sample, so a run can't set "
                f"{' or '.join(unknown)}; compile it with --data for data of your own."
            )

    def load_settings(self) -> Settings:
        """The settings it was compiled with.

        Raises:
          UserError: They are not settings of this version.
        """
        try:
            return Settings.model_validate(self.settings)
        except ValidationError:
            raise UserError(
                f"The pipeline {self.name} was compiled with the settings of another version; "
                f"{_AGAIN}."
            ) from None

    def load_workspace(self) -> Workspace:
        """The workspace it was compiled for."""
        return Workspace(self.workspace)
