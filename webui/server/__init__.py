"""Puts the page on a port: who may reach it, how files come in, and whose session is whose."""
