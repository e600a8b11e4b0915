"""From a submission to a verdict: the kit, the prober, the grader and the proof."""
