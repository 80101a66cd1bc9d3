"""Labels of frames that visual teachers detect."""
