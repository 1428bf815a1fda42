"""Quality measured by protocols that others have published, on data that others can have."""
