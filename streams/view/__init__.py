"""The live view of `up` and `demo`: what Redis holds, as a screen, as lines or as JSON. It reads only Redis."""
