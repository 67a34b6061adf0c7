"""What the runner is told by its environment."""

from typing import Annotated, Literal

from msgspec import Meta

from libs.runtime.settings import Common


class Settings(Common, kw_only=True, frozen=True):
    """The default model is the installation's, for every workspace that has none of its own; its address is trusted."""

    # A table like services/runner/prices.csv, which goes before it; given as a file, by PRICES_FILE.
    prices: str = ""
    run_slots: Annotated[int, Meta(ge=1, description="a whole number from 1")] = 256
    claimed_per_workspace: Annotated[int, Meta(ge=0, description="a whole number; 0 for no limit")] = 0
    claimed_per_model: Annotated[int, Meta(ge=0, description="a whole number; 0 for no limit")] = 0
    queued_per_workspace: Annotated[int, Meta(ge=0, description="a whole number; 0 for no limit")] = 10_000
    finetune_seconds: Annotated[float, Meta(gt=0, description="the seconds between two looks at a job")] = 15.0
    linger_seconds: Annotated[float, Meta(ge=0, description="the seconds that a stream goes on unread")] = 15.0
    default_model_url: str = ""
    default_model_name: str = ""
    default_model_key: str = ""
    default_model_kind: Literal["openai", "anthropic"] = "openai"
    default_model_context: Annotated[int, Meta(ge=256, description="a number of tokens from 256")] = 2048
