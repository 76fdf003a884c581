"""Numbers of a detector on a test set. Arrays and plain numbers in and out; no files, no drawing.

Front door: `scoring.score_detections`. `table` is ground truth and predictions as arrays, `matching` pairs them,
`coco_numbers`, `thresholds`, `errors` and `intervals` are one family of numbers each. A number by its name, for gates
and lists, belongs to `quality_gate.metrics`; how it is shown to `quality_report`.
"""
