"""Builds one bento in a process and a home of its own: `python -m sinara_lib.bento_build JOB.json`.

BentoML reads its home and its settings when it is first imported, and a failed build leaves files in the home.
A child process keeps both away from the caller.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sinara_lib.errors import DataError

QUIET_SETTINGS = {
    "BENTOML_DO_NOT_TRACK": "True",  # no usage data to bentoml.com
    "ORT_DISABLE_TELEMETRY": "1",  # none to Microsoft
}


def build_bento(
    service_folder: str | Path, archive: str | Path, *, name: str, version: str, labels: Mapping[str, str]
) -> None:
    """Build the bento of a service folder and export it as the zip file `archive`; needs no network.

    The folder holds `service.py` with a class RestService, its modules, `requirements.txt` and `artifacts/`; nothing
    else goes in. Raises DataError with the last lines of BentoML when it cannot be built.
    """
    job = {
        "folder": str(Path(service_folder).resolve()),
        "archive": str(Path(archive).resolve()),
        "name": name,
        "version": version,
        "labels": dict(labels),
    }
    with tempfile.TemporaryDirectory() as home:
        order = Path(home) / "job.json"
        order.write_text(json.dumps(job), encoding="utf-8")
        command = [sys.executable, "-m", "sinara_lib.bento_build", str(order)]
        done = subprocess.run(command, env=bento_environment(home), capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise DataError(f"BentoML could not build {service_folder} (exit code {done.returncode}):\n{last}")


def bento_environment(home: str | Path) -> dict[str, str]:
    """Return the environment of a BentoML child: its own home, nothing sent out, this library importable."""
    library = str(Path(__file__).parent.parent)
    paths = [library, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        **QUIET_SETTINGS,
        "BENTOML_HOME": str(Path(home) / "bentoml"),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _run_job(path: str) -> None:
    import bentoml

    job = json.loads(Path(path).read_text(encoding="utf-8"))
    bento = bentoml.bentos.build(
        "service:RestService",
        name=job["name"],
        version=job["version"],
        labels=job["labels"],
        description="\n".join(f"{key}: {value}" for key, value in job["labels"].items()),
        build_ctx=job["folder"],
        include=["*.py", "*.html", "requirements.txt", "artifacts/**"],
        exclude=["**/__pycache__/"],
    )
    bento.export(job["archive"])


if __name__ == "__main__":
    _run_job(sys.argv[1])
