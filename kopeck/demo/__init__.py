"""The demo town: invented people, houses and organisations whose payments are real to the program."""
