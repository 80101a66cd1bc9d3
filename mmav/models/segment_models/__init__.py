"""Networks of sequences of segments: event localizers and parsers."""
