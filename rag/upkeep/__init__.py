"""Maintenance of a data folder on the command line: check, repair, backup and restore."""
