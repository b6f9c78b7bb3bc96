"""Operator knowledge: what MindSpore makes of each PyTorch operator, measured, and which of them a source uses."""
