"""What all sections of the settings have in common."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Section(BaseModel):
    """A group of settings; an unknown key or a value out of range is an error."""

    # JSON, in which settings are passed on, knows no infinity.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
