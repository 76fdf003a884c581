"""Runs the examples in docstrings of front doors, so that what a reader copies from there works."""

import doctest
from typing import Any


def run_examples(thing: Any, **given: object) -> dict[str, Any]:
    """Run the examples of a function or class, at least one, with `given` names beside those of its module.

    Return the names there are afterwards, so that what an example took long to make can be used again.
    """
    (found,) = (test for test in doctest.DocTestFinder(recurse=False).find(thing) if test.examples)
    found.globs.update(given)
    written: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(found, out=written.append, clear_globs=False)
    assert not written, "".join(written)
    return found.globs
