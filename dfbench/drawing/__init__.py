"""`dfbench draw`: a local web page for drawing sketches and viewing the nearest photos."""

from dfbench.drawing.photo_search import PhotoSearch, RefusedDrawing, read_drawing
from dfbench.drawing.server import DrawServer

__all__ = ["DrawServer", "PhotoSearch", "RefusedDrawing", "read_drawing"]
