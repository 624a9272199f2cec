"""Published and real margin numbers, run through the package: `python -m tests.conformance FILE…`.

`cases` reads the files, `words` knows the names that inputs and figures go by, `families`
translates a case into accounts or arguments of the engine and reads the results, `judge` holds the
pass mark, `report` and `page` print. No margin formula is written here: a number is either an
input, or comes out of `margin_widgets`.
"""
