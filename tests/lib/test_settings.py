"""Where environments live: variables before sinara.toml before the platform's folder."""

from pathlib import Path

import platformdirs
import pytest

from sinara_lib.errors import LayoutError, ParamsError
from sinara_lib.settings import load_settings


def _toml(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sinara.toml").write_text(text)
    return folder


def test_with_nothing_set_the_roots_lie_in_the_users_data_folder(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={})
    base = Path(platformdirs.user_data_dir("sinara", appauthor=False))
    assert dict(settings.roots) == {env: str(base / env) for env in ("user", "test", "prod")}
    assert (settings.folder, settings.steps) == (None, ())


def test_the_file_wins_over_the_default_and_a_variable_over_the_file(tmp_path: Path) -> None:
    _toml(tmp_path, '[env.user]\nroot = "s3://files/user"\n[env.prod]\nroot = "s3://files/prod"\n')
    settings = load_settings(tmp_path, environ={"SINARA_PROD_ROOT": "memory://told"})
    assert settings.roots["user"] == "s3://files/user"
    assert settings.roots["prod"] == "memory://told"
    assert settings.roots["test"].endswith("test")


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    _toml(tmp_path, '[env.user]\nroot = "s3://files/user"\n')
    assert load_settings(tmp_path, environ={"SINARA_USER_ROOT": ""}).roots["user"] == "s3://files/user"


def test_the_nearest_file_upwards_holds(tmp_path: Path) -> None:
    _toml(tmp_path, '[pipeline]\nsteps = ["far"]\n')
    near = _toml(tmp_path / "near", '[pipeline]\nsteps = ["one", "two"]\n')
    (near / "one" / "params").mkdir(parents=True)
    settings = load_settings(near / "one" / "params", environ={})
    assert (settings.folder, [step.folder for step in settings.steps]) == (near.resolve(), ["one", "two"])


def test_a_relative_root_in_the_file_starts_at_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _toml(tmp_path / "project", '[env.user]\nroot = "artifacts/user"\n')
    (folder / "step").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = load_settings(folder / "step", environ={})
    assert settings.roots["user"] == str(folder.resolve() / "artifacts" / "user")


def test_a_relative_root_in_a_variable_starts_at_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(environ={"SINARA_USER_ROOT": "here"}).roots["user"] == str(tmp_path.resolve() / "here")


def test_a_tilde_means_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings(tmp_path, environ={"SINARA_USER_ROOT": "~/s"}).roots["user"] == str(tmp_path.resolve() / "s")


def test_another_environment_can_be_added_in_the_file(tmp_path: Path) -> None:
    _toml(tmp_path, '[env.staging]\nroot = "memory://staging"\n')
    assert load_settings(tmp_path, environ={}).store("staging").url == "memory://staging"


def test_another_environment_can_be_added_by_a_variable_alone(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, environ={"SINARA_STAGING_ROOT": "memory://staging"})
    assert settings.store("staging").url == "memory://staging"


def test_an_unknown_environment_is_named_with_the_known_ones_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ParamsError) as caught:
        load_settings(tmp_path, environ={}).store("prd")
    assert "'prd' is not known; there are prod, test, user" in str(caught.value)
    assert "[env.prd]" in str(caught.value)
    assert "SINARA_PRD_ROOT" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pipeline", "is not valid TOML"),
        (
            '[pipline]\nsteps = ["a"]\n',
            "'pipline'.*Known: pipeline.name, .*env.<name>.root",
        ),
        ('[env.user]\nrot = "x"\n', r"'env\.user\.ro"),
        ("[env.user]\nroot = 5\n", r"'env\.user\.root'"),
        ('[pipeline]\nsteps = "data_load"\n', r"'pipeline\.steps'"),
        ("[env.user.storage]\ntimeout = nan\n", r"'env\.user\.storage\.timeout' is NaN"),
        (f"[env.user.storage]\ntimeout = {'9' * 5000}\n", "is not valid TOML"),
        (f"[env.user.storage]\ntimeout = {'[' * 5000}\n", "is not valid TOML|nests deeper"),
    ],
)
def test_a_broken_file_is_named_with_the_key_that_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    _toml(tmp_path, text)
    with pytest.raises(ParamsError, match=message) as caught:
        load_settings(tmp_path, environ={})
    assert str(tmp_path / "sinara.toml") in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "sinara.toml").write_text('[pipeline]\nsteps = ["a"]\n', encoding=encoding)
    assert load_settings(tmp_path, environ={}).steps[0].name == "a"


def test_an_environment_needs_a_usable_name(tmp_path: Path) -> None:
    _toml(tmp_path, '[env."a b"]\nroot = "x"\n')
    with pytest.raises(LayoutError, match=r"environment name 'a b'"):
        load_settings(tmp_path, environ={})
