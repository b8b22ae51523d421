"""What there is to train on and to score: tasks, languages, where their files lie, and the types of their examples."""
