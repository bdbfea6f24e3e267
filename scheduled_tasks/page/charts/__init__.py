"""Charts as values of SVG elements, which templates draw. Pure."""
