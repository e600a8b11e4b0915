"""Code that runs alone: stdlib only, without the application. The spawner beside `sandboxd`, the agent inside each pod."""
