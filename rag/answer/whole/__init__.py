"""Requests over whole documents that do not fit a model's context, which are read part by part."""
