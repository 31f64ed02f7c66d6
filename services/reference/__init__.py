"""Reference data in: recipients, personal accounts and charges from files, checked and loaded whole or not at all."""
