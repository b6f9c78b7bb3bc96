"""Operator knowledge: what MindSpore makes of each PyTorch operator, measured on this installation, and which of them a source uses."""
