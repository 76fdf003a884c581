"""The notebooks of a new step: a title, the three cells that every notebook has, and work that can be replaced."""

import json
from collections.abc import Sequence
from typing import Any

Read = tuple[str, str]
"""A step and one of its entities."""


def notebook_text(step: str, notebook: str, *, model: str, reads: Sequence[Read], publishes: Sequence[str]) -> str:
    """Return the text of a notebook that reads and publishes these entities."""
    cells = [
        _cell("title", "markdown", f"# {step}: {notebook.removesuffix('.ipynb')}"),
        _cell("parameters", "code", _parameters(notebook), "parameters"),
        _cell("interface", "code", _interface(step, notebook, model, reads, publishes), "interface"),
        _cell("work", "code", _work(reads, publishes)),
    ]
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def _cell(name: str, kind: str, text: str, *tags: str) -> dict[str, Any]:
    code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": kind, "id": name, "metadata": metadata, "source": text.splitlines(keepends=True), **code}


def _parameters(notebook: str) -> str:
    return (
        "from sinara_lib.params import get_pipeline_params, get_step_params, get_substep_params\n\n"
        "pipeline_params = get_pipeline_params()\n"
        "step_params = get_step_params()\n"
        f'substep_params = get_substep_params("{notebook}")'
    )


def _interface(step: str, notebook: str, model: str, reads: Sequence[Read], publishes: Sequence[str]) -> str:
    names = ["ENTITY_NAME", *(["STEP_NAME"] if reads else []), "NotebookSubstep"]
    inputs = [f'        {{STEP_NAME: "{origin}", ENTITY_NAME: "{entity}"}},' for origin, entity in reads]
    outputs = [f'        {{ENTITY_NAME: "{entity}"}},' for entity in publishes]
    return "\n".join(
        [
            f"from {step}_params import {model}\n",
            "from sinara_lib.params import parse_params",
            f"from sinara_lib.substep import {', '.join(names)}\n",
            f'params = parse_params({model}, substep_params, where="{notebook}")',
            "substep = NotebookSubstep(pipeline_params, step_params, substep_params)",
            "substep.interface(",
            *(["    inputs=[", *inputs, "    ],"] if inputs else []),
            *(["    outputs=[", *outputs, "    ],"] if outputs else []),
            '    tmp_entities=[{ENTITY_NAME: "work"}],',
            ")",
        ]
    )


def _work(reads: Sequence[Read], publishes: Sequence[str]) -> str:
    calls = [name for name, used in (("fetch", reads), ("pack", publishes)) if used]
    lines = ["from pathlib import Path\n"]
    lines += [f"from sinara_lib.archive import {', '.join(calls)}\n"] if calls else []
    lines += ["work = Path(substep.tmp_entities().work)"]
    for step, entity in reads:
        lines.append(f'names = fetch(substep.inputs("{step}").{entity}, work / "{step}.{entity}")')
        lines.append(f'substep.add_metric("files_of_{entity}", len(names))')
    for entity in publishes:
        lines.append(f'\n(work / "{entity}").mkdir()  # replace what is written here by what the step makes')
        lines.append(f'(work / "{entity}" / "seed.txt").write_text(str(params.seed))')
        lines.append(f'pack(work / "{entity}", substep.outputs().{entity})')
    return "\n".join(lines)
