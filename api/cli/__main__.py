"""``python -m api.cli`` is ``wangge``."""

from api.cli import main

main()
