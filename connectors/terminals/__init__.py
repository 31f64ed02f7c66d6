"""Payment terminals and bank applications that ask whether a payment may be taken."""
