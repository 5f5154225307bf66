"""The file formats that several targets and readers share."""
