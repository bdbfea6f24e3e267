"""The screens: each module reads what its screen shows and names its template."""
