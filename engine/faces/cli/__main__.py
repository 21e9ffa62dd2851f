"""``python -m engine.faces.cli`` is the ``tidegate`` command."""

from engine.faces.cli.main import main

main()
