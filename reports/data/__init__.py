"""What pages are made of, and the same facts as JSON and CSV files."""
