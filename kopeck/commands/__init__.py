"""One file a command of ``kopeck``; each exports a click command of its own name."""
