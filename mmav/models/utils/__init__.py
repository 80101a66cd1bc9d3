"""What models of several kinds share."""
