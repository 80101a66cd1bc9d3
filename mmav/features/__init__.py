"""Features of the seconds of videos: pretrained networks, and the files that hold what they give."""
