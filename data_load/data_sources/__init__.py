"""From a URL, a path or a database's address to files on this machine.

Front door: `fetch.fetch_source` for one file or folder, `gathering.gather` for all files of a source. `archives` and
`extract` take files out of archives and folders within limits, `named_images` and `videos` bring what annotations
name and what films hold, `changes` ends a run early, `origin` keeps what is known of where everything came from. What
transport and cache do belongs to `sinara_lib.downloads`; what annotations mean to `label_formats`.
"""
