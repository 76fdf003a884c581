"""The part of the graph after the network: best class per prior, NMS per class, the best detections of each image."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import parser

from pack_params import NmsSettings

PREFIX = "nms_"


# Written in ONNX's text format: https://github.com/onnx/onnx/blob/main/docs/Syntax.md
# A prior carries one label (its best class), so each (image, prior) is selected at most once and its score can
# be scattered back to its place; -1 marks what was not selected. N is the largest count of the batch.
# Only as many priors as pass the threshold (at least one, for the shapes) are ranked: few do, and ranking costs most.
_GRAPH = """
<ir_version: 10, opset_import: ["": 18]>
postprocess (float[batch, P, 4] boxes, float[batch, P, K] scores) => (float[batch, N, 5] dets, int64[batch, N] labels)
<
  int64[1] last = {-1}, int64[1] first = {0}, int64[1] axis1 = {1},
  int64[1] pre_top_k = {%(pre_top_k)d}, int64[1] keep_top_k = {%(keep_top_k)d},
  int64[1] per_class = {%(max_output_boxes_per_class)d},
  float[1] iou_threshold, float[1] score_threshold,
  float absent = {-1.0}, float zero = {0.0}, int64 no_label = {-1}, int64[2] image_prior = {0, 2},
  int64[1] one = {1}, int64 start = {0}, int64 step = {1}, int64[2] class_axes = {0, 2}
>
{
  best = ReduceMax <keepdims = 0> (scores, last)
  passes = Greater (best, score_threshold)
  pass_ones = Cast <to = 7> (passes)
  pass_counts = ReduceSum <keepdims = 0> (pass_ones, axis1)
  most_passing = ReduceMax <keepdims = 1> (pass_counts, first)
  some = Max (most_passing, one)
  prior_count = Shape <start = 1, end = 2> (best)
  candidate_count = Min (prior_count, pre_top_k, some)
  candidate_scores, candidates = TopK <axis = 1> (best, candidate_count)
  candidate_rows = Unsqueeze (candidates, last)
  candidate_boxes = GatherND <batch_dims = 1> (boxes, candidate_rows)
  class_rows = GatherND <batch_dims = 1> (scores, candidate_rows)
  candidate_labels = ArgMax <axis = -1, keepdims = 0> (class_rows)

  class_count = Shape <start = 2, end = 3> (scores)
  class_depth = Squeeze (class_count)
  class_row = Range (start, class_depth, step)
  class_column = Unsqueeze (class_row, class_axes)
  label_rows = Unsqueeze (candidate_labels, axis1)
  score_rows = Unsqueeze (candidate_scores, axis1)
  is_class = Equal (label_rows, class_column)
  class_scores = Where (is_class, score_rows, absent)
  selected = NonMaxSuppression (candidate_boxes, class_scores, per_class, iou_threshold, score_threshold)

  places = Gather <axis = 1> (selected, image_prior)
  selected_scores = GatherND (candidate_scores, places)
  nothing = Mul (candidate_scores, zero)
  blank = Add (nothing, absent)
  kept_scores = ScatterND (blank, places, selected_scores)
  keep_count = Min (candidate_count, keep_top_k)
  top_scores, top = TopK <axis = 1> (kept_scores, keep_count)

  is_kept = Greater (top_scores, absent)
  kept_ones = Cast <to = 7> (is_kept)
  image_counts = ReduceSum <keepdims = 0> (kept_ones, axis1)
  largest_count = ReduceMax <keepdims = 1> (image_counts, first)
  out_scores = Slice (top_scores, first, largest_count, axis1)
  out_places = Slice (top, first, largest_count, axis1)
  out_kept = Slice (is_kept, first, largest_count, axis1)

  out_rows = Unsqueeze (out_places, last)
  out_boxes = GatherND <batch_dims = 1> (candidate_boxes, out_rows)
  out_score_column = Unsqueeze (out_scores, last)
  found = Concat <axis = -1> (out_boxes, out_score_column)
  kept_column = Unsqueeze (out_kept, last)
  dets = Where (kept_column, found, zero)
  out_labels = GatherElements <axis = 1> (candidate_labels, out_places)
  labels = Where (out_kept, out_labels, no_label)
}
"""


def append_nms(raw: onnx.ModelProto, settings: NmsSettings) -> onnx.ModelProto:
    """Return `raw` (outputs `boxes` [B, P, 4] and `scores` [B, P, K]) with post-processing at its end.

    Outputs: `dets` float32 [B, N, 5] (x1, y1, x2, y2 in network-input pixels, score; best first) and `labels`
    int64 [B, N]. N is the largest count in the batch; shorter images are filled up with zeros and label -1.
    """
    nms = onnx.compose.add_prefix(_nms_model(settings), PREFIX, rename_outputs=False)
    nms.ir_version = raw.ir_version
    merged = onnx.compose.merge_models(raw, nms, io_map=[("boxes", f"{PREFIX}boxes"), ("scores", f"{PREFIX}scores")])
    merged.graph.name = "detector"
    del merged.opset_import[1:]  # both halves speak the same opset; merging lists it twice
    merged.producer_name = raw.producer_name
    return merged


def _nms_model(settings: NmsSettings) -> onnx.ModelProto:
    model = parser.parse_model(_GRAPH % settings.model_dump())
    # NonMaxSuppression keeps scores above its threshold, mmdet those at or above: the next number below is the same.
    threshold = np.nextafter(np.float32(settings.score_threshold), np.float32(-1))
    values = {"iou_threshold": np.float32(settings.iou_threshold), "score_threshold": threshold}
    for name, value in values.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([value], np.float32), name))
    return model
