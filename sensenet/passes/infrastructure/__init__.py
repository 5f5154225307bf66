"""Building blocks of passes, and their manager."""
