"""Secrets that are planted in URLs of every kind are found nowhere after a run, whether it ended well or not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from download_cases import BODY, Patience, obtain
from faulty_server import FaultyServer, status, whole
from sinara_lib.errors import DownloadError, SinaraError
from sinara_lib.step import main
from sinara_lib.store import ArtifactStore
from step_cases import INTERFACE as DECLARES
from step_cases import MakeStep

PLANTED = "pl4nted"
URLS = {
    "a_blank": f" https://me:{PLANTED}@host/a.zip",
    "a_tab": f"\thttps://me:{PLANTED}@host/a.zip",
    "a_line_break": f"https://me:x\n{PLANTED}@host/a.zip",
    "upper_case": f"HTTPS://me:{PLANTED}@host/a.zip",
    "a_slash": f"https://me:x/{PLANTED}@host/a.zip",
    "a_token": f"https://{PLANTED}@host/a.zip",
    "a_database": f"postgresql://me:{PLANTED}@host/db",
    "a_query": f"postgresql://host/db?user=me&password={PLANTED}",
    "sslpassword": f"postgresql://host/db?sslpassword={PLANTED}",
    "odbc": f"mssql+pyodbc:///?odbc_connect=UID%3Dme%3BPWD%3D{PLANTED}",
    "amazon": f"https://bucket.host/a.zip?X-Amz-Signature={PLANTED}",
    "amazon_key": f"s3://me:{PLANTED}@bucket/a.zip",
    "amazon_query": f"s3://bucket/a.zip?X-Amz-Security-Token={PLANTED}",
    "google": f"https://host/a.zip?GoogleAccessId=me&Signature={PLANTED}",
    "google_query": f"gs://bucket/a.zip?X-Goog-Signature={PLANTED}",
    "azure": f"https://account.host/a.zip?sv=1&se=2&sig={PLANTED}",
    "azure_query": f"abfs://container@account/a.zip?sig={PLANTED}",
    "chained": f"simplecache::https://me:{PLANTED}@host/a.zip",
    "in_a_text": f"see https://me:{PLANTED}@host/a.zip, or ask",
    "a_list": [f"https://me:{PLANTED}@host/a.zip", {"deep": f"ftp://me:{PLANTED}@host/a"}],
}
PUBLISH = """(work / "n.txt").write_text("1")
publish_folder(work, substep.outputs().numbers)"""
TELLS = """import logging
from sinara_lib.progress import show_log
show_log()
for name, value in substep_params.items():
    if name != "fails":
        logging.getLogger("sinara_lib.demo").info("%s is %s", name, value)
if substep_params.get("fails"):
    raise RuntimeError(f"cannot read {substep_params}; Max retries exceeded with url: /a.zip?sig=" + "pl4" + "nted")"""


def _holders(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and PLANTED.encode() in path.read_bytes()]


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_leaves_no_planted_secret_in_the_store_and_the_log(
    make_step: MakeStep,
    stores: Callable[[str], ArtifactStore],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    *,
    fails: bool,
) -> None:
    folder = make_step(
        {"count.ipynb": [("interface", DECLARES), PUBLISH, TELLS]},
        params={"count.ipynb": {"size": 1, "fails": fails, **URLS}},
    )
    assert main(folder, mode="dev", argv=[]) == int(fails)
    store = tmp_path / "store"
    assert len(list(store.rglob("report.html"))) == 1
    assert _holders(store) == []
    log = [line for line in capsys.readouterr().out.splitlines() if PLANTED in line]
    assert log == []


@pytest.mark.parametrize("code", [200, 404, 500])
def test_a_download_leaves_no_planted_secret_in_cache_log_and_message(
    server: FaultyServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    code: int,
) -> None:
    caplog.set_level("DEBUG", logger="sinara_lib")
    monkeypatch.setenv("SINARA_CACHE", str(tmp_path / "cache"))
    url = server.serve("/a.zip", whole(BODY) if code == 200 else status(code))
    url = url.replace("//", f"//me:{PLANTED}@") + f"?sig={PLANTED}"
    if code == 200:
        obtain(url, tmp_path / "work")
    else:
        with pytest.raises(DownloadError) as refusal:
            obtain(url, tmp_path / "work", retry=Patience().policy)
        assert PLANTED not in str(refusal.value)
    assert _holders(tmp_path) == []
    assert PLANTED not in caplog.text


def test_a_message_repeats_what_another_program_said_without_its_secrets() -> None:
    said = f"fatal: unable to access 'https://me:{PLANTED}@host/step.git/'"
    assert (
        str(SinaraError(f"`git clone` failed: {said}"))
        == "`git clone` failed: fatal: unable to access 'https://host/step.git/'"
    )
