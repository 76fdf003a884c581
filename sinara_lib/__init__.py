"""Versioned, notebook-backed pipeline steps: from a dataset URL to a tested REST image."""

__version__ = "0.1.0"
