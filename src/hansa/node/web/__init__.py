"""What all web servers of ours stand on: hosts, headers, forms, sessions, files."""
