"""``python -m kopeck`` is the console script ``kopeck``."""

from kopeck.cli import main

main()
