"""What this server is made of, and what keeps a stranger's model in its place."""

from saliency_view.about import draw

draw()
