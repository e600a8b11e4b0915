"""What authors wrote: lessons and exercises as they are in the repository, and what the checks make of broken ones."""
