"""What commands show to people on a terminal: numbers and instants in words, styles by meaning, and tables.

Programs get JSON (`output.show_json`) or, in a pipe, plain lines without colours.
"""
