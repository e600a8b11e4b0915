"""PID 1 of a pod: starts its services, keeps their logs, watches their limits, answers the engine."""
