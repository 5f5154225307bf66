"""What several passes ask about a graph."""
