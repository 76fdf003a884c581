"""A run's own pages: data in, text out.

Front door: `step_report.StepReport`, which publishes a notebook and its pages as an entity. `notebook_pages` makes
HTML of a notebook, `pages` fills the templates of `sinara_lib/templates`. Pages between runs belong to `comparison`;
what a step shows inside its notebook to that step.
"""
