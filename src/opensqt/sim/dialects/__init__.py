"""One folder per venue whose protocol the simulator speaks."""
