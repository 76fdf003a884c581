"""Parameters of model_train and the recipes they choose from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, PositiveInt, field_validator

from sinara_lib.params import ParamsModel

STRIDE = 32

ModelName = Literal["yolox_nano", "yolox_tiny", "yolox_s", "yolox_m", "yolox_l", "yolox_x"]


class TrainParams(ParamsModel):
    """What model_train can be told."""

    model_name: ModelName = "yolox_s"
    """Size of the network; a checkpoint must be of the same one."""
    input_size: list[int] = Field(default=[640, 640], min_length=2, max_length=2)
    """Height and width the images are letterboxed to, pixels, multiples of 32."""
    recipe: Literal["auto", "fine_tune", "from_scratch"] = "auto"
    """`auto`: fine_tune when there are pretrained weights, else from_scratch."""
    epochs: int = Field(default=20, ge=1)
    batch_size: int = Field(default=8, ge=1)
    """Images in one step of each process."""
    learning_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Peak learning rate; null: the recipe's own."""
    workers: int = Field(default=0, ge=0)
    """Processes that load images; 0 loads them in the training process."""
    cache: Literal["none", "ram", "disk"] = "none"
    """Keep the image files nearer than the store: in memory, or unpacked into a temporary folder of the run."""
    devices: Literal["auto", "cpu", "cuda"] | PositiveInt = "auto"
    """One GPU or the CPU; a number: so many processes, on a GPU each where there are any, else on the CPU."""
    seed: int = Field(default=1, ge=0, lt=2**31)

    @field_validator("input_size")
    @classmethod
    def _fits_the_strides(cls, value: list[int]) -> list[int]:
        if any(side < STRIDE or side % STRIDE for side in value):
            raise ValueError(f"both sides must be multiples of {STRIDE}, for example [640, 640]")
        return value


@dataclass(frozen=True)
class Recipe:
    """How the weights are moved; learning rates are for AdamW.

    A pretrained network is disturbed as little as possible: small steps, long warm-up, the statistics of its
    batch normalisation kept, and an average of the weights scored instead of the last ones.
    """

    name: str
    learning_rate: float
    warm_up: float
    """Share of all iterations in which the learning rate rises."""
    weight_decay: float
    keep_norm_statistics: bool
    average_over: float
    """Share of all iterations over which the weights are averaged (EMA); 0: not averaged."""
    colour_change: bool


FINE_TUNE = Recipe(
    name="fine_tune",
    learning_rate=1e-5,
    warm_up=0.2,
    weight_decay=5e-4,
    keep_norm_statistics=True,
    average_over=0.2,
    colour_change=True,
)
FROM_SCRATCH = Recipe(
    name="from_scratch",
    learning_rate=2e-3,
    warm_up=0.2,
    weight_decay=5e-4,
    keep_norm_statistics=False,
    average_over=0.0,
    colour_change=False,
)


def choose_recipe(params: TrainParams, *, has_weights: bool) -> Recipe:
    """Return the recipe asked for; `auto` decides by whether there are pretrained weights."""
    name = params.recipe if params.recipe != "auto" else ("fine_tune" if has_weights else "from_scratch")
    return FINE_TUNE if name == "fine_tune" else FROM_SCRATCH
