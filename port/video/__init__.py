"""Frames in and out: folders of pictures, video files, numpy arrays."""
