"""Operations of version 1, a file a subject: each file ends with ``OPERATIONS``, which ``catalogue.py`` puts in order."""
