"""Versioned, notebook-backed pipeline steps: from a dataset URL to a tested REST image.

The top holds what users import (`step`, `substep`, `params`, `pipeline`, `experiment`, `unchanged`) and what
everything stands on (`settings`, `settings_file`, `layout`, `errors`, `parallel`, `progress`, `tables`). The rest are
rooms, each with a sign like this one; their imports point down, by the contract in pyproject.toml. What only one step
needs is a room in that step's folder.
"""

__version__ = "0.1.0"
