"""Seeds a database with tasks of many projects, in the form in which the models store them."""
