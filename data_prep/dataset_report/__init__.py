"""What data_prep shows of a dataset: tables, histograms, drawn examples. Nothing computes on it.

Front door: `stats.measure` and `figures.publish_summary` for numbers, the functions `draw_...` of `charts`,
`examples` and `findings` for pictures; `style` is how all of them look. What is found or changed is decided in
`dataset_checks` and `dataset_conversion`; here it is only drawn.
"""
