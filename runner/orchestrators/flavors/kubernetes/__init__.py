"""The kubernetes flavor: each step is a pod; the DAG is walked by a Job inside the cluster."""
