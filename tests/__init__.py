"""Tests: core/ pure and fast, the other folders on real servers, scenarios/ whole programs."""
