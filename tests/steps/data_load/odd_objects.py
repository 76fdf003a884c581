"""What tallies tell of objects that could not be read, raised as an error, so that tests can match it."""

from label_formats.labels import Labels
from sinara_lib.errors import DataError


def refuse_odd(labels: Labels) -> None:
    """Raise DataError with the place of each reason, where any object was left out."""
    if labels.tally.left_out:
        raise DataError("; ".join(labels.tally.examples.values()))
