"""The housing stock: dated facts of houses, loaded from files and read by house and period."""
