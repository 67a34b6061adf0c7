"""Fine-tunes: datasets as training files, the provider's endpoint, and the work of following a job to its end."""
