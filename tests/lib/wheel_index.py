"""Small wheels for a package index of a test's own."""

import zipfile
from collections.abc import Sequence
from pathlib import Path


def write_wheel(
    folder: Path,
    name: str,
    version: str,
    needs: Sequence[str] = (),
    *,
    extras: Sequence[str] = (),
    command: str | None = None,
) -> None:
    """Write a wheel with one module, what it needs, its extras, and perhaps a command, into `folder`."""
    module = name.replace("-", "_")
    stem = f"{module}-{version}"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras] + [f"Requires-Dist: {need}" for need in needs]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module}.py", "def main() -> None: ...\n")
        wheel.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines) + "\n")
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if command:
            wheel.writestr(f"{stem}.dist-info/entry_points.txt", f"[console_scripts]\n{command} = {module}:main\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
