"""Make the images that are published out of those that were loaded: smaller, in tiles, as changed copies.

Front door: `parts.make_parts`, from a split and an archive to one archive a part. `conversion` plans, `geometry`
moves the annotations along, `augment` draws the copies, `rendering` makes the files. Faulty data is repaired before
(`dataset_checks`); which image goes where is `dataset_split`, one floor up.
"""
