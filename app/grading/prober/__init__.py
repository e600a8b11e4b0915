"""What runs beside a sandbox and judges it: the runner, and the bundle that carries it there."""
