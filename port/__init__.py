"""The porting toolkit. Works on numpy arrays and files; imports neither torch nor mindspore."""
