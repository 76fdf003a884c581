"""What the benchmarks share: contenders take turns, medians and ratios go into a table, targets are checked."""

import gc
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Seconds = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Target:
    """A figure that was promised; `found` is None when a contender was missing, which counts as missed."""

    what: str
    found: float | None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        """Tell whether the promise is kept."""
        if self.found is None:
            return False
        low = self.at_least is None or self.found >= self.at_least
        return low and (self.at_most is None or self.found <= self.at_most)

    def __str__(self) -> str:
        found = "not measured" if self.found is None else f"{self.found:.2f}"
        thresholds = [("at least", self.at_least), ("at most", self.at_most)]
        promised = " and ".join(f"{words} {number:g}" for words, number in thresholds if number is not None)
        return f"{self.what} {found} ({promised}: {'met' if self.met else 'MISSED'})"


def take_turns(contenders: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each contender in each round; in odd rounds they go in the opposite order.

    A contender does its work once, measures it, and returns the seconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        order = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
        for name in order:
            gc.collect()
            seconds[name].append(contenders[name]())
            say(f"  round {number + 1} of {rounds}: {name} {seconds[name][-1]:.2f} s")
    return seconds


def ratio(seconds: Seconds, one: str, other: str) -> float | None:
    """Return how many times as fast `one` is as `other`, by their medians; None when either was not measured."""
    if not (seconds.get(one) and seconds.get(other)):
        return None
    return statistics.median(seconds[other]) / statistics.median(seconds[one])


def render(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table in markdown, columns padded, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def conclude(targets: Sequence[Target], *, check: bool) -> int:
    """Say on one last line whether the targets are met; return the exit code: 1 for a missed one with `check`."""
    say("; ".join(map(str, targets)))
    return int(check and not all(target.met for target in targets))


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)  # noqa: T201 - what a benchmark is for


def _padded(cell: str, width: int) -> str:
    return cell.rjust(width) if cell[:1].isdigit() else cell.ljust(width)
