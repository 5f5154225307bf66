"""What C files of several targets have in common: literals, labels, and the encoder of rows."""
