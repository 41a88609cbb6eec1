"""What any room may need and that knows nothing of agents: threads, cancellation, forks, files, text."""
