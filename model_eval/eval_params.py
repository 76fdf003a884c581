"""Parameters of model_eval's notebooks: how the test set is predicted, and by what the scores are judged."""

from typing import Annotated, Literal

from pydantic import Field

from sinara_lib.params import ParamsModel

LAST = "last"

Access = Literal["process", "rest"]
Thresholds = dict[str, Annotated[float, Field(ge=0, le=1)]]


class PredictParams(ParamsModel):
    """What predict.ipynb can be told."""

    through: Access = "process"
    """`process`: the service is loaded into the notebook; `rest`: the real server is started and asked over HTTP; the
    numbers are the same."""
    at_once: int = Field(default=4, ge=1, le=16)
    """Images on their way at the same time."""


class ScoreParams(ParamsModel):
    """What score.ipynb can be told."""

    threshold_iou: float = Field(default=0.5, gt=0, le=1)
    """IoU from which a detection is right, for the gate, curves, errors and the confusion matrix."""
    threshold_map05: float = Field(default=0.3, ge=0, le=1)
    """Mean AP at `threshold_iou` which the model must reach, else the step fails."""
    at_least: Thresholds = Field(default_factory=dict)
    """Further thresholds, metric by name: `{"AP75": 0.2, "AP50_person": 0.5, "F1_*": 0.4}`; `*` stands for each class
    with ground truth."""
    at_most: Thresholds = Field(default_factory=dict)
    """The same from above: `{"calibration_error": 0.1}`."""
    max_drop: Thresholds = Field(default_factory=dict)
    """How much lower than the baseline a metric may be: `{"AP50": 0.02, "AP50_*": 0.05}`."""
    baseline: str = LAST
    """`last`: the newest run that passed its gate on the same ground truth; or the URL of a run or its report."""
    shown_score: float = Field(default=0.3, ge=0, le=1)
    """Detections below it are not drawn, and not counted in confusion and errors."""
    shown_images: int = Field(default=6, ge=0, le=24)
    """Test images in the report: half where the detector does best, half where it does worst."""


NOTEBOOKS = {"predict.ipynb": PredictParams, "score.ipynb": ScoreParams}
