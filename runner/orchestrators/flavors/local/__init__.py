"""The local flavor: steps as processes of this machine."""
