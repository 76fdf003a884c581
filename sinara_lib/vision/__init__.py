"""What several steps share about images, and nothing else.

Front door: `coco.load_coco` and `coco.save_coco`, `letterbox.letterbox`, `store_backend.archive_url`. `coco_fields`
checks single values, `coco_drawing` draws boxes, `run_lengths` are masks, `mmcv_ops` stands in for compiled
operators. What one step alone needs stays in that step's rooms.
"""
