"""What a run of a notebook is, below `step` and `substep`: helpers of those two front doors.

`notebook` runs one (the only importer of papermill) and `notebook_run` is the run that a notebook joins or starts;
`interface` the interface cell; `checkout`, `code_identity` and `environment` what it ran with; `checkpoints`,
`resume` and `tensorboard_logs` what a long run leaves; `exit_code` how it ends. What a run has published is an entity
(`store`); asking about runs that were is `catalog`.
"""
