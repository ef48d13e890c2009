"""Labels of frames, in the files that data sets publish them in."""
