"""Writes a report as one page of HTML, with plots as SVG."""
