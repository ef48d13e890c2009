"""One HTML file to look at scores and clips."""
