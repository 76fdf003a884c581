"""SinaraML's names, as its steps import them: `from sinara.substep import …`, `from sinara.step import …`.

Front door: `import sinara`, which `imported_as` maps onto this room. Each module bears the name and holds the names of
SinaraML's, with its contract and without its dangers: nothing resets a working tree or pushes. What is gone raises an
error that names what to use instead. Anything that is no translation belongs to the room that it is a name for.
"""
