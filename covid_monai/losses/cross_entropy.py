"""Cross-entropy of a label map."""

from torch import Tensor, nn
from torch.nn import functional


class CrossEntropyLoss(nn.Module):
    """``-log p`` of each pixel's class under a softmax, averaged over the pixels (Chen et al. 2020, "Training").

    The paper prints ``-sum y log p`` with a sigmoid output, which is least where every p is 1, whatever the image;
    hence the softmax.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of logits ``(N, C, H, W)`` against a label map ``(N, 1, H, W)``, as a float32 scalar."""
        # pixel by pixel, as CUDA has no deterministic cross-entropy of whole maps
        logits = input.float().movedim(1, -1).reshape(-1, input.shape[1])
        return functional.cross_entropy(logits, target.reshape(-1).long())
