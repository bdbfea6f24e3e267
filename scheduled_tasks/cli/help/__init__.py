"""What explains `clocks`: examples in --help, shell completion and man pages, all from the commands themselves."""
