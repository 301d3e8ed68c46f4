"""The models that come with the lab, and how others are opened."""
