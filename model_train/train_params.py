"""Parameters of model_train and the recipes they choose from."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal

from pydantic import Field, PositiveInt, field_validator

from sinara_lib.params import ParamsModel

STRIDE = 32

TrainedLayers = Literal["last", "head", "all"]
ModelName = Literal["yolox_nano", "yolox_tiny", "yolox_s", "yolox_m", "yolox_l", "yolox_x"]


class TrainParams(ParamsModel):
    """What model_train can be told."""

    model_name: ModelName = "yolox_s"
    """Size of the network; a checkpoint must be of the same one."""
    input_size: list[int] = Field(default=[640, 640], min_length=2, max_length=2)
    """Height and width in pixels that the images are letterboxed to, multiples of 32."""
    recipe: Literal["auto", "fine_tune", "from_scratch"] = "auto"
    """`fine_tune`, `from_scratch`, or `auto`: by whether there is a checkpoint."""
    epochs: int = Field(default=20, ge=1)
    """Passes over the train split."""
    batch_size: int = Field(default=8, ge=1)
    """Images in one step of each process; lower it when memory runs out."""
    patience: int | None = Field(default=None, ge=0)
    """Epochs without a better one after which training ends; 0: never. Here and below `null` takes the recipe's own."""
    trained_layers: TrainedLayers | None = None
    """`last`: the 1 x 1 convolutions that give class, box and objectness; `head`: all behind the neck; `all`."""
    learning_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Peak rate of AdamW."""
    warm_up: float | None = Field(default=None, ge=0, lt=1)
    """Share of all iterations in which the rate rises from a fiftieth; then it falls along a cosine to a hundredth."""
    weight_decay: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Of weights; biases and batch normalisation are not decayed."""
    gradient_clip: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Greatest norm of all gradients together."""
    norm_statistics: Literal["keep", "learn"] | None = None
    """Means and variances of batch normalisation: `keep` or `learn`; those of layers that do not learn are kept."""
    average_over: float | None = Field(default=None, ge=0, le=1)
    """Share of all iterations over which the weights are averaged (EMA); 0: not averaged."""
    mosaic: float | None = Field(default=None, ge=0, le=1)
    """Share of the training images that are put together from four, rotated and scaled, as YOLOX does."""
    mixup: float | None = Field(default=None, ge=0, le=1)
    """Share of the training images that are the mean of two."""
    plain_epochs: int | None = Field(default=None, ge=0)
    """Epochs at the end without mosaic and mixup."""
    workers: int = Field(default=0, ge=0)
    """Processes that load images; 0: none beside the training itself."""
    cache: Literal["none", "ram", "disk"] = "none"
    """Where image files are kept near: `ram`: read once into memory, which `workers` share; `disk`: unpacked once
    into the run's temporary folder; `none`."""
    devices: Literal["auto", "cpu", "cuda"] | PositiveInt = "auto"
    """`auto`: the first GPU, else the CPU; `cpu`; `cuda`: a GPU or an error; a number: so many processes, on a GPU
    each where there are any, else on the CPU."""
    seed: int = Field(default=1, ge=0, lt=2**31)
    """Of initial weights, order of images and changes to them."""

    @field_validator("input_size")
    @classmethod
    def _fits_the_strides(cls, value: list[int]) -> list[int]:
        if any(side < STRIDE or side % STRIDE for side in value):
            raise ValueError(f"both sides must be multiples of {STRIDE}, for example [640, 640]")
        return value


@dataclass(frozen=True)
class TrainingRecipe:
    """How the weights are moved; learning rates are for AdamW. Each field of a parameter's name can be set by it."""

    name: str
    trained_layers: TrainedLayers
    learning_rate: float
    warm_up: float
    weight_decay: float
    gradient_clip: float
    norm_statistics: Literal["keep", "learn"]
    average_over: float
    colour_change: bool
    mosaic: float
    mixup: float
    plain_epochs: int
    patience: int


# A network that knows its classes is disturbed as little as possible: the features stay, what is read off them is
# fitted to the new images. docs/decisions/013 has the measurements.
FINE_TUNE = TrainingRecipe(
    name="fine_tune",
    trained_layers="last",
    learning_rate=4e-4,
    warm_up=0.2,
    weight_decay=5e-4,
    gradient_clip=35.0,
    norm_statistics="keep",
    average_over=0.2,
    colour_change=True,
    mosaic=0.0,
    mixup=0.0,
    plain_epochs=0,
    patience=0,
)
FROM_SCRATCH = TrainingRecipe(
    name="from_scratch",
    trained_layers="all",
    learning_rate=2e-3,
    warm_up=0.2,
    weight_decay=5e-4,
    gradient_clip=35.0,
    norm_statistics="learn",
    average_over=0.0,
    colour_change=False,
    mosaic=0.0,
    mixup=0.0,
    plain_epochs=0,
    patience=0,
)


def choose_recipe(params: TrainParams, *, has_weights: bool) -> TrainingRecipe:
    """Return the recipe asked for, changed as the parameters say; `auto` decides by whether there are weights.

    Without weights there is nothing to keep: all layers learn.
    """
    name = params.recipe if params.recipe != "auto" else ("fine_tune" if has_weights else "from_scratch")
    recipe = FINE_TUNE if name == "fine_tune" else FROM_SCRATCH
    if not has_weights:
        recipe = replace(recipe, trained_layers="all")
    given = {one.name: getattr(params, one.name, None) for one in fields(TrainingRecipe) if one.name != "name"}
    return replace(recipe, **{key: value for key, value in given.items() if value is not None})


NOTEBOOKS = {"model_train.ipynb": TrainParams}
