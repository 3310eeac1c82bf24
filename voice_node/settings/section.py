"""What every section of the room file is: frozen, and without unknown keys."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A mapping of the room file. Unknown keys are errors; values are never coerced from another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, validate_default=True, allow_inf_nan=False)
