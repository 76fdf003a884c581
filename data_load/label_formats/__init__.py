"""From label files of any format to one COCO document.

Front door: `detection.detect` says the format, `reading.read_labels` reads it into `labels.Labels`,
`coco_document.to_coco` makes the document. Each format is one module here and one line in each table of `detection`
and `reading`; `values`, `geometry` and `image_index` are what several formats share. Nothing is downloaded or copied
here (`data_sources`); repairs of a dataset belong to the step data_prep.
"""
