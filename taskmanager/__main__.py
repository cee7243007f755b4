"""`python -m taskmanager`: the command `taskmanager`."""

from taskmanager.entry import main

if __name__ == "__main__":
    main()
