"""`python -m voice_node` is the console script `voice-node`."""

from voice_node.cli import main

if __name__ == "__main__":
    main()
