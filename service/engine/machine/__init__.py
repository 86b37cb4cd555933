"""What the engine asks of the machine it runs on: cores, processor level, compiled loops, threads, memory."""
