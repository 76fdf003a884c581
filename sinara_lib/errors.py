"""What can go wrong, one class for each thing a caller may want to tell apart."""

from sinara_lib.urls import without_credentials


class SinaraError(Exception):
    """Base of every error that a user can act upon; its text says what failed, where, and what to do.

    URLs in the text, also in what another program said, are kept without credentials. Who has to tell the place from
    what is wrong there gives it as `place`; the text is then both, joined by a colon.
    """

    def __init__(self, *args: object, place: str = "") -> None:
        said = [without_credentials(one) if isinstance(one, str) else one for one in args]
        self.place, self.reason = without_credentials(place), str(said[0]) if said else ""
        super().__init__(*([f"{self.place}: {self.reason}", *said[1:]] if place else said))


class ParamsError(SinaraError, ValueError):
    """A parameter is unknown, missing or of the wrong type."""


class LayoutError(SinaraError, ValueError):
    """A name, run id or URL does not fit the layout of the store."""


class InterfaceError(SinaraError, ValueError):
    """A notebook used an entity that its interface cell does not declare."""


class ArtifactError(SinaraError):
    """Something is wrong with a run or an entity in the store."""


class ArtifactNotFoundError(ArtifactError, FileNotFoundError):
    """No committed run or entity answers the question."""


class ArtifactExistsError(ArtifactError, FileExistsError):
    """The run or entity is there already; what is committed never changes."""


class ArtifactCorruptError(ArtifactError, ValueError):
    """The files of an entity are not the ones its manifest promises."""


class StoreUnavailableError(ArtifactError, OSError):
    """The place where artifacts live cannot be read or written: down, full, closed, or gone."""


class ArchiveError(SinaraError, ValueError):
    """A file name or a shard cannot be packed or unpacked safely."""


class DownloadError(SinaraError, OSError):
    """A source could not be fetched, or is not what it should be."""


class DataError(SinaraError, ValueError):
    """A dataset, an image, a checkpoint or a model cannot be used as it is."""


class QualityGateError(SinaraError):
    """The model was measured and found below a stated threshold."""


class CommandFailedError(SinaraError, RuntimeError):
    """A `!command` of a notebook ended with another exit code than 0."""


class DroppedError(SinaraError, NotImplementedError):
    """Something that SinaraML had is not here; the message names what does its work."""


class StepFailedError(SinaraError, RuntimeError):
    """A step did not finish; the reason is in its report."""


class Unchanged(SinaraError):
    """Ends a notebook, and with it its step, well before it publishes: an earlier run has published the same."""


class StopStep(SinaraError):
    """Ends the step on purpose, with exit code 254."""
