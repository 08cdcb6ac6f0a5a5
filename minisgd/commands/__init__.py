"""The commands of the program, by need; what is heavy is imported only where it is used."""
