"""One organisation's installation: the composition root, the only clock, the only settings reader."""
