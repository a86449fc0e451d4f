"""Getting data ready: find or fetch it, verify it, put it in its place."""
