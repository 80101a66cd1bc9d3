"""Files of images, audio, video and arrays."""
