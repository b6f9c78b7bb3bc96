"""What is written in C, compiled at its first use on the machine where it runs, and called by both columns."""
