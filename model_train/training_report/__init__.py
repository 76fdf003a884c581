"""What a training shows while it runs and afterwards: curves, tables, event files. Nothing computes on it.

Front door: `following.follow_training` in the notebook; `curves`, `tables` and `pictures` draw one thing each,
`events` writes TensorBoard's files. What is recorded is decided in `detector_training.history`; scores of the
finished model belong to the step model_eval.
"""
