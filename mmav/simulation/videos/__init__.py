"""Features of videos with events, in the layouts of AVE and LLP."""
