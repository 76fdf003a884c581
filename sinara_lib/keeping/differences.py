"""What differs between two identities of a step, in a few words each."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sinara_lib.store.step_identity import Identity

_NAMED = 3
"""Files and packages that are named before the rest is counted."""
_LONGEST = 40


def differences(before: Identity, now: Identity) -> list[str]:
    """Return what differs but for the inputs, the most telling first: parameters, code, library, packages, the rest."""
    return [
        *_params(before.params, now.params),
        *_files(before.code, now.code),
        *(["the library changed"] if before.library != now.library else []),
        *_values(before.packages, now.packages, missing="not declared"),
        *_values(before.surroundings, now.surroundings, missing="not asked for"),
    ]


def input_differences(before: Mapping[str, str], now: Mapping[str, str | None]) -> list[str]:
    """Return which inputs hold something else than they did."""
    words = []
    for key, content in before.items():
        step, entity = key.rsplit("/", 2)[-2:]
        if now.get(key) is None:
            words.append(f"{entity} of {step} is not there")
        elif now[key] != content:
            words.append(f"{entity} of {step} changed")
    return words


def _params(before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    if list(before) != list(now):
        yield f"notebooks {', '.join(filter(None, before))} -> {', '.join(filter(None, now))}"
    several = len(now) > 2
    for notebook, values in now.items():
        old = before.get(notebook, {})
        for name in dict.fromkeys((*old, *values)):
            a, b = old.get(name, _ABSENT), values.get(name, _ABSENT)
            if a != b:
                yield f"{f'{notebook}.' if several and notebook else ''}{name} {_shown(a)} -> {_shown(b)}"


_ABSENT = object()


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "not given"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _files(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    changed = [f"{name} changed" for name in now if name in before and before[name] != now[name]]
    changed += [f"{name} is new" for name in now if name not in before]
    changed += [f"{name} is gone" for name in before if name not in now]
    yield from _few(changed, "files")


def _values(before: Mapping[str, str | None], now: Mapping[str, str | None], *, missing: str) -> Iterator[str]:
    names = [name for name in dict.fromkeys((*before, *now)) if before.get(name, "") != now.get(name, "")]

    def shown(values: Mapping[str, str | None], name: str) -> str:
        return (values[name] or "not installed") if name in values else missing

    yield from _few([f"{name} {shown(before, name)} -> {shown(now, name)}" for name in names], "packages")


def _few(words: list[str], kind: str) -> Iterator[str]:
    yield from words[:_NAMED]
    if len(words) > _NAMED:
        yield f"{len(words) - _NAMED} more {kind}"
