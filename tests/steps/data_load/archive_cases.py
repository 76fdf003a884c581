"""Archives that tests make, and the choice of their pictures."""

import io
import tarfile
import zipfile
from pathlib import Path, PurePosixPath


def by_name(member: str) -> str | None:
    return PurePosixPath(member).name if member.endswith(".jpg") else None


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2017, 9, 1, 12, 30, 8))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


def make_tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_504_269_008
            archive.addfile(info, io.BytesIO(data))
    return path
