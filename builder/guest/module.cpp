// Removed once the module has its first source.
