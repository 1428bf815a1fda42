"""What an owner shows of its decisions afterwards: opened, decided again, and tried anew."""
