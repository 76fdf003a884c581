"""Text that somebody wrote, read strictly into plain values: what cannot have been meant is refused, and named.

That is a key given twice, a number that is not finite, text that is not Unicode, what nests or repeats without end.
Front door: `json_text.parse_json`, `yaml_text.parse_yaml`, each handing its values to `values.check_values`.
What the keys mean belongs to who reads the file: `sinara_lib.params`, `sinara_lib.settings_file`.
"""
