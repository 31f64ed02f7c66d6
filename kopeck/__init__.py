"""The roof: command line, configuration, embedded servers, demo town, who runs what (design §5)."""
