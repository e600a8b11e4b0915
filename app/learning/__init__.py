"""What learners do: drafts, progress, quizzes, hints."""
