"""What several steps share about images, and nothing else."""
