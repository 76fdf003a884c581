"""Builds one bento in a process and a home of its own: `python -m sinara_lib.bento.build JOB.json`.

BentoML reads its home and its settings when it is first imported, and a failed build leaves files in the home.
A child process keeps both away from the caller.

The zip file depends on what went in alone: the same service folder, name, version and labels give the same bytes.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from sinara_lib.bento.checksums import write_checksums
from sinara_lib.errors import DataError
from sinara_lib.layout import is_run_id, run_sort_key

QUIET_SETTINGS = {
    "BENTOML_DO_NOT_TRACK": "True",  # no usage data to bentoml.com
    "ORT_DISABLE_TELEMETRY": "1",  # none to Microsoft
}
EARLIEST = datetime(1980, 1, 1, tzinfo=timezone.utc)
"""The first moment a zip file can name; stands for "no time" wherever a file format asks for one."""


def build_bento(
    service_folder: str | Path, archive: str | Path, *, name: str, version: str, labels: Mapping[str, str]
) -> None:
    """Build the bento of a service folder as the zip file `archive`; needs no network.

    The folder holds `service.py` with a class RestService, its modules and pages, `requirements.txt` and `artifacts/`;
    nothing else goes in. Raises DataError with the last lines of BentoML when it cannot be built.
    """
    with tempfile.TemporaryDirectory() as home:
        answer = Path(home) / "bento.txt"
        job = {
            "folder": str(Path(service_folder).resolve()),
            "name": name,
            "version": version,
            "labels": dict(labels),
            "answer": str(answer),
        }
        order = Path(home) / "job.json"
        order.write_text(json.dumps(job), encoding="utf-8")
        command = [sys.executable, "-m", "sinara_lib.bento.build", str(order)]
        done = subprocess.run(command, env=bento_environment(home), capture_output=True, text=True, check=False)
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
            raise DataError(f"BentoML could not build {service_folder} (exit code {done.returncode}):\n{last}")
        bento = Path(answer.read_text(encoding="utf-8"))
        _set_creation_time(bento / "bento.yaml", version)
        write_checksums(bento / "src")
        _zip(bento, Path(archive))


def bento_environment(home: str | Path) -> dict[str, str]:
    """Return the environment of a BentoML child: its own home, nothing sent out, this library importable."""
    library = str(Path(__file__).parents[2])
    paths = [library, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        **QUIET_SETTINGS,
        "BENTOML_HOME": str(Path(home) / "bentoml"),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def _set_creation_time(description: Path, version: str) -> None:
    # The clock would make every bento another one; a run id says when its run began.
    time = run_sort_key(version)[0] if is_run_id(version) else EARLIEST
    text = description.read_text(encoding="utf-8")
    text, count = re.subn(r"(?m)^creation_time: .*$", f"creation_time: '{time.isoformat()}'", text)
    if count != 1:
        raise DataError(
            f"{description}: expected one creation_time, found {count}; this BentoML writes another format."
        )
    description.write_text(text, encoding="utf-8")


def _zip(folder: Path, archive: Path) -> None:
    # Stored, not deflated: what deflate writes differs between builds of zlib.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix() + ("/" if path.is_dir() else "")
            entry = zipfile.ZipInfo(name, date_time=EARLIEST.timetuple()[:6])
            entry.create_system = 3  # Unix, for the modes
            entry.external_attr = (0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644) << 16
            zipped.writestr(entry, b"" if path.is_dir() else path.read_bytes())


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
    Path(job["answer"]).write_text(bento.path, encoding="utf-8")


if __name__ == "__main__":
    _run_job(sys.argv[1])
