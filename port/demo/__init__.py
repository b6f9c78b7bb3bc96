"""What the demonstration needs: pinned downloads, a real clip, weights."""
