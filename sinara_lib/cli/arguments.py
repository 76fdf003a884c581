"""Arguments that several commands take."""

import argparse
import re
from datetime import timedelta

ENVIRONMENT_HELP = "environment: user (default), test, prod, or one of sinara.toml"


def count(text: str) -> int:
    """Parse a whole number from 1 on, for argparse."""
    if not re.fullmatch(r"[1-9][0-9]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def age(text: str) -> timedelta:
    """Parse hours, days or weeks, such as 12h, for argparse."""
    match = re.fullmatch(r"([0-9]+)([hdw])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age: give hours, days or weeks, such as 12h, 30d or 8w")
    unit = {"h": "hours", "d": "days", "w": "weeks"}[match[2]]
    try:
        return timedelta(**{unit: int(match[1])})
    except (OverflowError, ValueError):  # beyond all days, or a number of thousands of digits
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is older than time itself: give fewer {unit}") from None
