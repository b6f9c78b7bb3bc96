"""The parity report as JSON, Markdown and a self-contained page."""
