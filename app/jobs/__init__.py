"""The job row as a queue; knows nothing of what the jobs do."""
