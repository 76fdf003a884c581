"""Between runs: their differences, their table, the page over all of them, a run made again.

Front door: `run_diff_reading.read_diff`, `run_table.tabulate`, `reproduction.reproduce`,
`pipeline_index.write_index`, `run_report.report_pages`. What is compared of a run is read in `run_summary`. It may
start runs, so it stands above `step`. The pages of one run belong to `reports`, finding runs to `catalog`.
"""
