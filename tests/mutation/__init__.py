"""Planted mutations: wrong rewrites that tests must notice."""
