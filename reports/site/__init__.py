"""The site as a whole: which files change, in which processes, written whole."""
