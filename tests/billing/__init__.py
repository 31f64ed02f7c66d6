"""Tests of billing (расчёт ЖКУ)."""
