"""A new pipeline and a new step, written whole or not at all; what is there is never written over."""

import json
import keyword
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from sinara_lib.errors import ParamsError
from sinara_lib.layout import check_name
from sinara_lib.runs.git import run_git
from sinara_lib.scaffold.notebooks import Read, notebook_text
from sinara_lib.scaffold.requirement import library_lines
from sinara_lib.scaffold.wiring import with_step
from sinara_lib.settings_file import SETTINGS_FILE, find_settings_folder, read_settings_file
from sinara_lib.step_sources import read_sources
from sinara_lib.strict_text.values import read_text

_TEMPLATES = Path(__file__).parent / "templates"
_MODES = {"dev": "the working tree as it is, environment `user`", "prod": "the committed code of HEAD"}


def new_pipeline(name: str, *, into: Path, git: bool = False) -> Path:
    """Make the folder of a pipeline without steps, and return it. Raises ParamsError where the name is taken."""
    check_name(name, "pipeline")
    files = {
        SETTINGS_FILE: f"[pipeline]\nname = {json.dumps(name)}\nsteps = []\n",
        "README.md": _filled("pipeline_readme", name=name),
        ".gitignore": _filled("gitignore"),
    }
    return _write(into / name, files, git=git)


def new_step(
    name: str,
    *,
    into: Path,
    reads: Sequence[str] = (),
    publishes: Sequence[str] = (),
    substeps: Sequence[str] = (),
    git: bool = False,
) -> Path:
    """Make the folder of a step beside the nearest `sinara.toml`, name it there, and return it.

    `reads` are `STEP.ENTITY`, `publishes` entities, `substeps` names of notebooks (default: one, as the step). The
    first notebook reads, the last publishes. Raises ParamsError where the name is taken or cannot be one of a module.
    """
    base = find_settings_folder(into)
    if base is None:
        raise ParamsError(f"No {SETTINGS_FILE} here or above: `sinara new pipeline NAME`, then run this in its folder.")
    settings = read_settings_file(base / SETTINGS_FILE)
    if settings.pipeline.name is None:
        raise ParamsError(f"{base / SETTINGS_FILE} gives the pipeline no name: write `name = …` below [pipeline].")
    taken = [source.name for source in read_sources(settings.pipeline.steps, SETTINGS_FILE)]
    if name in taken:
        raise ParamsError(f"{base / SETTINGS_FILE} has a step {name}; its steps are {', '.join(taken)}.")
    publishes = [_word(entity, "--publishes") for entity in publishes] or [f"{_word(name, 'step')}_result"]
    notebooks = [f"{_word(one, '--substeps')}.ipynb" for one in substeps] or [f"{_word(name, 'step')}.ipynb"]
    if len(set(notebooks)) < len(notebooks):
        raise ParamsError(f"--substeps: a name is given twice: {', '.join(substeps)}.")
    pairs = [_pair(text) for text in reads]
    wired = with_step(read_text(base / SETTINGS_FILE), name, str(base / SETTINGS_FILE))
    files = _step_files(
        name,
        pipeline=settings.pipeline.name,
        notebooks=notebooks,
        reads=pairs,
        publishes=publishes,
        library=library_lines("[notebook]", settings.pipeline.library, base),
    )
    folder = _write(base / name, files, git=git)
    draft = base / f".{SETTINGS_FILE}.{os.getpid()}"
    draft.write_text(wired, encoding="utf-8")
    os.replace(draft, base / SETTINGS_FILE)
    return folder


def _step_files(
    name: str,
    *,
    pipeline: str,
    notebooks: Sequence[str],
    reads: Sequence[Read],
    publishes: Sequence[str],
    library: str,
) -> dict[str, str]:
    model = "".join(part.capitalize() for part in name.split("_")) + "Params"
    substeps = [{"substep_name": notebook, "substep_params": {"seed": 1}} for notebook in notebooks]
    rows = [f"| reads | `{step}/{entity}` |" for step, entity in reads]
    rows += [f"| publishes | `{entity}` |" for entity in publishes]
    return {
        **{f"step.{mode}.py": _filled("step_file", mode=mode, what=what) for mode, what in _MODES.items()},
        **{
            notebook: notebook_text(
                name,
                notebook,
                model=model,
                reads=reads if notebook == notebooks[0] else (),
                publishes=publishes if notebook == notebooks[-1] else (),
            )
            for notebook in notebooks
        },
        f"{name}_params.py": _filled("params_module", name=name, model=model, notebooks=_quoted(notebooks)),
        "params/step_params.json": json.dumps({"substeps_params": substeps}, indent=1) + "\n",
        "README.md": _filled("step_readme", name=name, pipeline=pipeline, rows="\n".join(rows)),
        "requirements.txt": f"{library}\n",
        ".gitignore": _filled("gitignore"),
        f"tests/test_{name}.py": _filled(
            "step_test",
            pipeline=pipeline,
            reads=", ".join(f'("{step}", "{entity}")' for step, entity in reads),
            publishes=_quoted(publishes),
        ),
    }


def _write(folder: Path, files: Mapping[str, str], *, git: bool) -> Path:
    """Write a folder beside its place and rename it. Raises ParamsError where there is something already."""
    if os.path.lexists(folder):
        raise ParamsError(f"{folder} is there, and nothing is written over it: choose another name.")
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as draft:
        fresh = Path(draft) / folder.name
        for name, text in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_text(text, encoding="utf-8")
        if git:
            run_git(fresh, "init", "--quiet")
        fresh.rename(folder)
    return folder


def _filled(template: str, **values: str) -> str:
    return Template((_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(values)


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _word(name: str, what: str) -> str:
    """Return a name that can stand in Python. Raises ParamsError."""
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name):
        raise ParamsError(
            f"{what} {name!r}: use letters, digits and _, as in a name of Python, and no word of its own."
        )
    return name


def _pair(text: str) -> Read:
    step, dot, entity = text.partition(".")
    if not dot:
        raise ParamsError(f"--reads {text!r}: expected STEP.ENTITY, such as data_prep.coco_train_dataset.")
    return check_name(step, "step"), _word(entity, "--reads")
