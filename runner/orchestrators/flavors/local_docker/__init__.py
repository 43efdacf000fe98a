"""The local_docker flavor: each step in a container of its own, on the Docker Engine of this machine."""
