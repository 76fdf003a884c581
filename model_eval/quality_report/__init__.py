"""The report on a detector: one HTML page that opens anywhere, and the documents beside it. Nothing computes on it.

Front door: `report.write_report`. `charts` draws for paper, `interactive` for the page, in the colours of `style`;
`examples` draws images, `documents` writes JSON, CSV and Markdown. A new number is computed in `detection_scores`
first; a page of a run, whatever the step, is the library's `reports`.
"""
