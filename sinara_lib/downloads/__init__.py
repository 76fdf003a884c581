"""From a URL to a file on this machine: resumed, retried, checked, and kept for all runs.

Front door: `fetching.bring`. `download` is one file, over HTTP by `transfer` or from a bucket by `objects`; `partial`
is what an interrupted one left, `digests` the checksums, `cache` what is kept, `origin` what is known of it
afterwards. What the file means, and taking it out of an archive, belongs to the step that asks. `requests` comes with
the extra `vision`.
"""
