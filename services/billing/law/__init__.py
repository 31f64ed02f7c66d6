"""The house's rows of law: shipped, proposed, approved, read into a ``Law``, and what a change of them would have changed."""
