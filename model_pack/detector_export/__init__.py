"""From the trained PyTorch detector to the files that are packed: ONNX, smaller variants, TorchScript.

Front door: `export.export_detector`, with the `ModelCard` and detector of `model_card`. `nms` is the graph's end,
`precision` makes fp16 and int8, `images` the input that both models see. Whether the files are right is judged in
`export_checks`. Imports torch, so nothing of it is packed (`rest_service`).
"""
