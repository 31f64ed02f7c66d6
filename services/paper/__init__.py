"""Papers for people, typeset by typst from templates beside their code."""
