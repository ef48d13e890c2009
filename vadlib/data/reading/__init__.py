"""Pictures and videos to batches of frames."""
