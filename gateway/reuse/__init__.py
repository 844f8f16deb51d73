"""What one request drew and another may have: samples by their place in the draw, and answers."""
