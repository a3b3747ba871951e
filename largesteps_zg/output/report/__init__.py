"""What a run found and what it took, as one page that needs nothing else."""
