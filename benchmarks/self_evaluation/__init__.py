"""What self-evaluation buys on the demo's model, beside what a perfect one would."""
