"""What each way to choose among candidates brings in seven languages, on the demo's model."""
