"""What a request costs in front of an upstream that costs nothing, beside other gateways."""
