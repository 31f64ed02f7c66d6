"""Tests of the gateway on real servers."""
