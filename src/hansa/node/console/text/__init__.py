"""What the console says: values as text, receipts in words."""
