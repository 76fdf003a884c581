"""The built-in sample: street scenes drawn in whole numbers, the same bytes on every machine.

Front door: `sample.write_scenes`, for what `scenes_url` asks; the rest draws: `drawing` composes a scene on a
`canvas` out of `backgrounds`, `people`, `vehicles` and `trucks`, `light` turns it into pixels, `masks` into
annotations. Closed: what is drawn has a checksum in the tests. New kinds of data are sources (`data_sources`), not
scenes.
"""
