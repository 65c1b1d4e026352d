"""A count that a step reads without asking the device for it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HostCount(nn.Module):
    """A number that lies on the host wherever its owner lies; checkpoints of the owner hold it.

    As a buffer it would move to the device, and every step that needs it as a number would have to
    wait until the device has done all that it was told before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.value = 0

    def get_extra_state(self) -> Tensor:
        """The number as torch's `state_dict` takes it up."""
        return torch.tensor(self.value)

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from a number in a `state_dict`."""
        self.value = int(state)
