"""An orchestrator for runner: each attempt of a step is a task of a Dask cluster, and a process of its own there."""
