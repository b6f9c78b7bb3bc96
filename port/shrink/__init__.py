"""One root cause alone: what is kept of it, and the small runnable folder that is made of that."""
