"""The strict types that a profile and what belongs to it are made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Above0 = Annotated[float, Field(gt=0)]
LARGEST_COUNT = 10**12
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]


class Section(BaseModel):
    """A table of the file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )
