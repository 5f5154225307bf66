"""What passes are made of, and what runs them."""
