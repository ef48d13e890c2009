"""What is published where, fetched, unpacked and checked."""
