"""What people ask hosts to do, as rows of the database: from the page, or from another machine's `clocks`."""
