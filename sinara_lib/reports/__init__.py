"""What was run, as people read it: reports, tables and comparisons of runs."""
