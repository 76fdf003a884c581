"""Judge a COCO dataset and its images, and repair what can be repaired; everything done is counted.

Front door: `checks.check_dataset`, with a document and an archive's reader. A check is one function beside those of
its subject (`images`, `boxes`, `segmentations`, `duplicates`, `classes`) and one row of `check_table`; `decoding` and
`orientation` look at pixels, `findings` is what comes out. Changing sound data (resizing, tiles, copies) belongs to
`dataset_conversion`, showing it to `dataset_report`.
"""
