"""Questions about stores: what is there, what was made from what, is it whole, what may go.

Front door: `catalog.read_catalog`; `find` knows what a URL, run id or step name means, `show` tells one run in lines,
`lineage` and `retention` decide (pure), `verify` re-reads, `garbage` is the only one that removes. Writing and
resolving single entities belongs to `sinara_lib.store`; comparing what runs hold to `comparison`.
"""
