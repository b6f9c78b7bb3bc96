"""The reference networks in PyTorch. Everything that imports torch is here; nothing here imports mindspore."""
