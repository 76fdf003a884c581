"""Proof that an exported file is the trained model, kept apart from what it judges.

Front door: `proof.prove_equal`, and `variants.measure_variants` for smaller files. `outputs` runs both models,
`parity` and `torchscript_parity` compare, `layers` finds where they part, `accuracy` scores. What is exported is made
in `detector_export`; how good the model is belongs to the step model_eval.
"""
