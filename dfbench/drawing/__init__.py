"""`dfbench draw`: a local page on which a person draws and sees the nearest photos."""

from dfbench.drawing.photo_search import PhotoSearch, RefusedDrawing, read_drawing
from dfbench.drawing.server import DrawServer

__all__ = ["DrawServer", "PhotoSearch", "RefusedDrawing", "read_drawing"]
