"""Train a detector with mmengine, resumable, in processes of its own where there are several devices.

Front door: `training.train_detector`. `config` is the configuration, `job` one training as a process does it,
`processes` starts several; `data`, `samples`, `transforms` and `batches` are what it sees, `hooks`, `progress`,
`history` and `state` what it leaves. Foreign checkpoints belong to `pretrained_weights`, curves and tables to
`training_report`.
"""
