"""What each data set looks like on a disk, and how its root leads to clips."""
