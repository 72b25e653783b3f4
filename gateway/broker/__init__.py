"""What wakes: the bell of one process."""
