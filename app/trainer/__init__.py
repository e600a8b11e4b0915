"""What helps somebody who is stuck: which mistake it looks like, where to look, the next hint. No model, no scores, no code."""
