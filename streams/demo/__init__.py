"""The simulated market of ``changeover demo``: its draws, its processes, its scripted opening and its feed."""
