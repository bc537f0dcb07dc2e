"""Requests over whole documents that do not fit a model's context: read part by part."""
