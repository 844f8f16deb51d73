"""Other gateways of the kind on the same bed, their tokens counted where they are spent."""
