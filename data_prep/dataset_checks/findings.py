"""What the checks of a dataset look for, what they found, and what was done about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from check_table import CHECKS, Action, Check, choose_actions
from sinara_lib.vision.coco import CocoAnnotation, CocoImage

EXAMPLES = 3

Box = tuple[float, float, float, float]
Done = Literal["fixed", "dropped", "kept", "left out", "stops the step"]

_DONE: dict[Action, Done] = {
    "fix": "fixed",
    "drop": "dropped",
    "keep": "kept",
    "leave out": "left out",
    "fail": "stops the step",
}


@dataclass(frozen=True)
class Example:
    """One case: file and box (x, y, width, height in pixels, as the document had it) where there are such.

    `resembles` names a second file, of which the first is a copy.
    """

    text: str
    file_name: str | None = None
    box: Box | None = None
    resembles: str | None = None


@dataclass(frozen=True)
class Finding:
    """How often a check found something and what was done, with up to three examples."""

    check: Check
    action: Action
    count: int
    examples: tuple[Example, ...]

    @property
    def done(self) -> Done:
        """What was done, in a word."""
        return _DONE[self.action]


class Ledger:
    """Counts what the checks find, keeps the first examples of each, and says what is to be done."""

    def __init__(self, actions: Mapping[str, str] | None = None) -> None:
        self._actions = choose_actions(actions or {})
        self._first = {check.name: check.actions[0] for check in CHECKS}
        self._counts = dict.fromkeys(self._first, 0)
        self._examples: dict[str, list[Example]] = {name: [] for name in self._first}

    def note(
        self,
        name: str,
        text: str,
        *,
        file_name: str | None = None,
        box: Box | None = None,
        resembles: str | None = None,
    ) -> Action:
        """Record one case of a check and return what to do with it."""
        self._counts[name] += 1
        if len(self._examples[name]) < EXAMPLES:
            self._examples[name].append(Example(text, file_name, box, resembles))
        return self.action(name)

    def action(self, name: str) -> Action:
        """Return what to do with the finds of a check.

        One that stops the step does so after all checks have run, so that all are reported; until then its first
        action is taken.
        """
        return self._first[name] if self._actions[name] == "fail" else self._actions[name]

    def findings(self) -> tuple[Finding, ...]:
        """Return every check in its order, also those that found nothing."""
        return tuple(
            Finding(one, self._actions[one.name], self._counts[one.name], tuple(self._examples[one.name]))
            for one in CHECKS
        )


def note_box(ledger: Ledger, name: str, one: CocoAnnotation, image: CocoImage) -> Action:
    """Record one case of a check with the box as it is, to be drawn; return what to do with it."""
    box = ", ".join(f"{value:g}" for value in one.bbox)
    text = f"annotation {one.id}: [{box}] in {image.file_name}, {image.width} x {image.height}"
    return ledger.note(name, text, file_name=image.file_name, box=one.bbox)
