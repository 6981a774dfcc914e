"""What every stage shares: the typed config (`schema`), and small file and command-line helpers."""
