"""Where the values of secrets are kept. Workers load this room: standard library only, SDKs when they connect."""
