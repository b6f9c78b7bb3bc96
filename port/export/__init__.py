"""Networks exported by parts: what the parts are, the manifest beside them, the recurrence that runs them, the proof."""
