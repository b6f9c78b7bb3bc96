"""From a picture to its low resolution, as the field's MATLAB scripts make it: BI and BD."""
