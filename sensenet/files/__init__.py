"""Reading and writing files and directories so that nothing is lost."""
