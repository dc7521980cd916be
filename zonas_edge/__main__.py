"""``python -m zonas_edge``: the same as the console script."""

from zonas_edge.cli import main

if __name__ == "__main__":
    main()
