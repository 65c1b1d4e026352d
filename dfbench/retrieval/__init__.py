"""Use of trained encoders: loading, export and retrieval from a user's own photos."""

from dfbench.retrieval.card import Card
from dfbench.retrieval.exporting import Export, export
from dfbench.retrieval.gallery import Gallery, open_gallery
from dfbench.retrieval.loading import FoundRun, find_run, load
from dfbench.retrieval.model import Pictures, RerankStage, RetrievalModel
from dfbench.retrieval.search import Hit, PhotoIndex, RerankedHit, ranked, reranked

__all__ = [
    "Card",
    "Export",
    "FoundRun",
    "Gallery",
    "Hit",
    "PhotoIndex",
    "Pictures",
    "RerankStage",
    "RerankedHit",
    "RetrievalModel",
    "export",
    "find_run",
    "load",
    "open_gallery",
    "ranked",
    "reranked",
]
