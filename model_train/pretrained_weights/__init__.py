"""From a foreign checkpoint to weights that fit this network. Can be used without training.

Front door: `fitting.fit_weights`; `checkpoint_file` reads without ever running what a file names, `megvii_names`
translates layer names. Another origin of checkpoints is another module of names here. Downloading them belongs to the
step data_load, training on to `detector_training`.
"""
