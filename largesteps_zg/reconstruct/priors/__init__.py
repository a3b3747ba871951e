"""What is believed of a surface where images leave a choice."""
