"""What became of the objects of one source: `taken + left out = found`, by reason."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from sinara_lib.errors import DataError

ODD = "objects with a value that cannot be read"
MAX_LEFT_OUT = 0.01
"""The share of a source's objects that may be left out where the parameters say nothing."""


@dataclass
class Tally:
    """Counts while a source is read.

    `found` counts every object as its format writes it, before it is read. `left_out` counts those that were not
    taken, `examples` hold the first place of a reason, where it is known. One of the `excusable` ones is never too
    many: a single odd value does not refuse a small source. `notes` count what was passed over and is no object.
    """

    found: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    excusable: int = 0
    notes: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def one_object(self) -> Iterator[None]:
        """Count one object as found; where reading it raises DataError it is left out, and the place is kept."""
        self.found += 1
        try:
            yield
        except DataError as error:
            self.leave_out(ODD, example=str(error), excusable=True)

    def leave_out(self, reason: str, count: int = 1, *, example: str = "", excusable: bool = False) -> None:
        """Count objects, found before, that are not taken."""
        if not count:
            return
        self.left_out[reason] += count
        self.excusable += count if excusable else 0
        if example:
            self.examples.setdefault(reason, example)

    def note(self, what: str, count: int = 1) -> None:
        """Count what was passed over and is no object of an image."""
        if count:
            self.notes[what] += count

    @property
    def taken(self) -> int:
        """Return how many objects became annotations."""
        return self.found - self.left_out.total()

    def copy(self) -> "Tally":
        """Return the same counts, to be counted on."""
        return replace(self, left_out=Counter(self.left_out), examples=dict(self.examples), notes=Counter(self.notes))

    def add(self, other: "Tally") -> None:
        """Count what another part of the source held."""
        self.found += other.found
        self.left_out += other.left_out
        self.excusable += other.excusable
        self.notes += other.notes
        self.examples = {**other.examples, **self.examples}

    def ensure_sum(self, taken: int) -> None:
        """Raise DataError when objects were lost uncounted."""
        if self.taken != taken:
            raise DataError(
                f"{self.found:,} objects were found, {self.left_out.total():,} left out and {taken:,} taken, which "
                f"does not add up. This is a fault of data_load: please report it with the annotations."
            )

    def ensure_most_taken(self, max_left_out: float = MAX_LEFT_OUT) -> None:
        """Raise DataError when everything, or a larger share than `max_left_out`, was left out."""
        lost = self.left_out.total()
        if not lost or (self.taken and lost - min(1, self.excusable) <= max_left_out * self.found):
            return
        reason, count = self.left_out.most_common(1)[0]
        example = f", such as {self.examples[reason].rstrip('.')}" if reason in self.examples else ""
        told = f"{lost:,} of {self.found:,} objects were left out, most of them ({count:,}) as {reason}{example}."
        if not self.taken:
            raise DataError(f"{told} Nothing is left to load: correct or convert the annotations.")
        share = -(-lost * 1000 // self.found) / 1000
        raise DataError(
            f"{told} max_left_out allows {max_left_out:g} of them: correct the annotations, or set max_left_out to "
            f"{share:g} to load the others."
        )
