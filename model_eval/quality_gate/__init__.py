"""Whether a scored detector may ship.

Front door: `gate.measure_gate`, `gate.enforce_gate`. `metrics` names every score that a threshold may ask for,
`baseline` finds the run that a model is compared with. Scores are computed in `detection_scores`; who ships reads the
gate's page through the library.
"""
