"""The words everybody uses: frozen values with no behaviour of their own beyond checking themselves."""
