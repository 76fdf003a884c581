"""What a run had installed: Python, platform and the versions of all packages, recorded once by its kernel."""

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distributions

from sinara_lib.errors import ArtifactCorruptError

ENVIRONMENT_FILE = "environment.json"

_NAME = re.compile(r"^Name: *(\S+)", re.M)
_VERSION = re.compile(r"^Version: *(\S+)", re.M)


@dataclass(frozen=True)
class Environment:
    """Python's version, the platform, and package name -> version."""

    python: str
    platform: str
    packages: Mapping[str, str]


def this_environment() -> Environment:
    """Describe the process that asks; of a package that is installed twice, the one that Python finds first."""
    packages: dict[str, str] = {}
    for one in distributions():
        head = one.read_text("METADATA") or one.read_text("PKG-INFO") or ""
        name, version = _NAME.search(head), _VERSION.search(head)  # a whole parse takes ten times as long
        if name and version:
            packages.setdefault(name[1].lower().replace("_", "-"), version[1])
    return Environment(platform.python_version(), platform.platform(), dict(sorted(packages.items())))


def environment_json(environment: Environment) -> str:
    """Return the text of environment.json."""
    page = {"python": environment.python, "platform": environment.platform, "packages": dict(environment.packages)}
    return json.dumps(page, indent=1)


def read_environment(data: bytes, where: str) -> Environment:
    """Parse environment.json. Raises ArtifactCorruptError."""
    try:
        page = json.loads(data)
        packages = {str(name): str(version) for name, version in page["packages"].items()}
        return Environment(str(page["python"]), str(page["platform"]), packages)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactCorruptError(f"{where} is not a list of packages ({error!r}).") from error
