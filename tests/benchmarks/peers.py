"""Our networks and LSH attention against those of others, timed in turns in one run: ``docs/performance.md``.

    python -m tests.benchmarks.peers --bundle unet --size 256 [--device cuda:0] [--only inference chain]

Weights are random: this is about speed alone. Each group's first way is ours as the bundle does it, and the last two
columns say how many times as fast as it the others are, by slices and by floating-point operations a second; what is
computed a second time in a backward pass counts a second time. nnU-Net is timed where it is installed, which takes::

    pip install --constraint constraints.txt nnunetv2

where the constraint keeps torch as it is. Without it a line says so.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from itertools import product

import torch
from torch import Tensor, nn

from covid_monai.benchmark.networks import segmentation, training_step
from covid_monai.benchmark.timing import Timing
from covid_monai.catalog.bundles import bundle_folder, bundle_names
from covid_monai.catalog.sizes import operations_of
from covid_monai.environment import describe_environment, device_setting, synchronise
from covid_monai.networks.blocks.lsh.attention import lsh_attention
from covid_monai.networks.blocks.lsh.hashing import draw_rotations
from covid_monai.scoring.format import table

SIZES = (256, 369, 512)
SIDES = (64, 92, 128, 184)
"""Of the feature maps whose pixels are tokens: 4,096 to 33,856 of them; 92 and 184 are those of slices of 369 x 369."""
HEADS, WIDTH, ROUNDS_OF_HASHING, CHUNK = 8, 32, 4, 64
BATCH = 4


@dataclass(frozen=True)
class Way:
    """How something is computed.

    Attributes:
        name: of the way.
        compute: one call.
        slices: in a call.
        counted: what has the operations of a call; None where that is ``compute``.
        counted_slices: in a call of ``counted``.
    """

    name: str
    compute: Callable[[], object]
    slices: int
    counted: Callable[[], object] | None = None
    counted_slices: int | None = None

    def operations(self) -> float:
        """Floating-point operations of a slice."""
        # not inference_mode, in which matrix products arrive undivided and are counted as nothing
        return operations_of(self.counted or self.compute) / (self.counted_slices or self.slices)


Group = tuple[str, Callable[[], list[Way]]]


def in_turns(ways: list[Way], rounds: int, device: torch.device) -> list[Timing]:
    """Seconds of a call of each way, after a round that does not count."""
    seconds: list[list[float]] = [[] for _ in ways]
    for number in range(rounds + 1):
        for way, own in zip(ways, seconds, strict=True):
            synchronise(device)
            start = time.perf_counter()
            way.compute()
            synchronise(device)
            if number:
                own.append(time.perf_counter() - start)
    return [Timing.of(own) for own in seconds]


def inference(bundle: str, size: int, device: torch.device) -> list[Way]:
    """A bundle's inferer, and its network as a user would call it: float32, contiguous, no autocast."""
    ways = []
    for name, settings in {"as the bundle does it": {}, "the bundle in float32": {"precision": "float32"}}.items():
        work = segmentation(bundle_folder(bundle), _settings(size, device, slices_at_once=BATCH, **settings))
        images = torch.rand(1, 1, size, size, device=device)
        ways.append(Way(name, work.compute, work.slices, partial(_without_gradients, work.network, images), 1))
    plain = segmentation(bundle_folder(bundle), _settings(size, device)).network.to(
        memory_format=torch.contiguous_format
    )
    return [*ways, _eager("its network, eager float32, contiguous", plain, size, device)]


def training(bundle: str, size: int, device: torch.device) -> list[Way]:
    """A bundle's training step, and the same as a user would write it."""
    ways = []
    for name, settings in {"as the bundle does it": {}, "the bundle in float32": {"precision": "float32"}}.items():
        work = training_step(bundle_folder(bundle), _settings(size, device, batch_size=BATCH, **settings))
        ways.append(Way(name, work.compute, BATCH))
    work = training_step(bundle_folder(bundle), _settings(size, device, batch_size=BATCH, precision="float32"))
    work.network.to(memory_format=torch.contiguous_format)
    return [*ways, Way("eager float32, contiguous", work.compute, BATCH)]


def u_nets(bundle: str, size: int, device: torch.device) -> list[Way]:
    """The inferer of ``unet``, and U-Nets of others called as their documents do."""
    # makes torchvision one that can be imported
    from tests.networks import references  # noqa: F401, I001
    import segmentation_models_pytorch as smp

    own = inference(bundle, size, device)[:2]
    # its levels halve a size, which must then be a multiple of 32
    fitting = -(-size // 32) * 32
    theirs = smp.Unet("resnet34", encoder_weights=None, in_channels=1, classes=4).to(device).eval()
    padded = "" if fitting == size else f", padded to {fitting}"
    return [*own, _eager(f"segmentation_models_pytorch's Unet (resnet34), float32{padded}", theirs, fitting, device)]


def chain(bundle: str, size: int, device: torch.device) -> list[Way]:
    """From a volume in memory, 512 x 512 a slice, to classes on its grid: the bundle's, and MONAI's as it comes."""
    from monai.data import MetaTensor
    from monai.inferers import SliceInferer
    from monai.networks.nets import BasicUNet
    from monai.transforms import (
        Activationsd,
        AsDiscreted,
        Compose,
        EnsureChannelFirstd,
        Invertd,
        Orientationd,
        Resized,
        ScaleIntensityRanged,
    )

    slices = 2 * BATCH
    hu = torch.rand(512, 512, slices) * 1400 - 1000
    affine = torch.diag(torch.tensor([-0.7, -0.7, 1.5, 1.0], dtype=torch.float64))
    image = torch.rand(1, 1, size, size, device=device)
    ways = []
    for name, settings in {"as the bundle does it": {}, "the bundle in float32": {"precision": "float32"}}.items():
        work = segmentation(bundle_folder(bundle), _settings(size, device, slices_at_once=BATCH, **settings))
        assert work.segmenter is not None

        def own(segmenter: Callable[..., object] = work.segmenter) -> None:
            meta = {"original_channel_dim": float("nan")}
            segmenter({"image": MetaTensor(hu.clone(), affine=affine.clone(), meta=meta)})

        ways.append(Way(name, own, slices, partial(_without_gradients, work.network, image), 1))
    network = BasicUNet(2, 1, 4, (64, 128, 256, 512, 1024, 64), norm="batch").to(device).eval()
    before = Compose(
        [
            EnsureChannelFirstd("image", channel_dim="no_channel"),
            Orientationd("image", "LPS", labels=None),
            ScaleIntensityRanged("image", -1024, 600, 0, 1, clip=True),
            Resized("image", (size, size, -1), mode="trilinear"),
        ]
    )
    after = Compose(
        [
            Activationsd("pred", softmax=True),
            Invertd("pred", before, "image", nearest_interp=False),
            AsDiscreted("pred", argmax=True),
        ]
    )
    inferer = SliceInferer(roi_size=(size, size), sw_batch_size=BATCH, spatial_dim=2, mode="gaussian")

    def stock() -> None:
        item = before({"image": MetaTensor(hu.clone(), affine=affine.clone())})
        with torch.inference_mode():
            item["pred"] = inferer(item["image"][None].to(device), network)[0]
            after(item)

    counted = partial(_without_gradients, network, image)
    return [*ways, Way("MONAI's transforms, SliceInferer and BasicUNet, float32", stock, slices, counted, 1)]


def attention(side: int, device: torch.device) -> list[Way]:
    """LSH attention forward and backward over the pixels of one feature map, in several heads."""
    from reformer_pytorch import LSHAttention

    tokens = side**2
    shared, values = (torch.randn(HEADS, tokens, WIDTH, device=device, requires_grad=True) for _ in range(2))
    rotations = draw_rotations(0, 0, ROUNDS_OF_HASHING, WIDTH).to(device)
    # it takes whole pairs of chunks alone
    missing = -tokens % (2 * CHUNK)
    ways = [Way("covid_monai", lambda: _backward(lsh_attention(shared, values, rotations, CHUNK), shared, values), 1)]
    for name, duplicates in {"as it is by default": True, "pairs that meet again discounted, as ours": False}.items():
        theirs = LSHAttention(
            bucket_size=CHUNK, n_hashes=ROUNDS_OF_HASHING, causal=False, allow_duplicate_attention=duplicates
        ).to(device)

        def both(layer: nn.Module = theirs) -> None:
            padded = [nn.functional.pad(each, (0, 0, 0, missing)) for each in (shared, values)]
            _backward(layer(*padded)[0][:, :tokens], shared, values)

        padding = f", padded by {missing} tokens" if missing else ""
        ways.append(Way(f"reformer-pytorch {name}{padding}", both, 1))
    return ways


def _settings(size: int, device: torch.device, **more: object) -> dict[str, object]:
    return {"image_size": [size, size], "device": device_setting(str(device)), **more}


def _eager(name: str, network: nn.Module, size: int, device: torch.device) -> Way:
    images = torch.rand(BATCH, 1, size, size, device=device)
    return Way(name, partial(_without_gradients, network, images), BATCH)


def _without_gradients(network: nn.Module, images: Tensor) -> None:
    with torch.no_grad():
        network(images)


def _backward(output: Tensor, *inputs: Tensor) -> None:
    torch.autograd.grad(output.sum(), inputs)


def nnunet(bundle: str, size: int, device: torch.device) -> list[Way]:
    """nnU-Net's 2-D network in its predictor, beside the inferer of ``unet``; nothing where it is not installed."""
    if find_spec("nnunetv2") is None:
        return []
    from tests.benchmarks.nnunet import predictors

    # it tells of its defaults
    with redirect_stdout(None):
        theirs = [Way(*way, 1) for way in predictors(size, 2 * BATCH, device)]
    return [*inference(bundle, size, device)[:2], *theirs]


def groups(bundles: list[str], sizes: list[int], device: torch.device) -> dict[str, list[Group]]:
    """What is compared, by the names of ``--only``: headings, and what builds the ways."""
    by_bundle = {"inference": inference, "training": training}
    by_size = {"u-nets": u_nets, "chain": chain, "nnunet": nnunet}
    found: dict[str, list[Group]] = {
        kind: [
            (f"{kind}: {bundle}, {size} x {size}", partial(build, bundle, size, device))
            for bundle, size in product(bundles, sizes)
        ]
        for kind, build in by_bundle.items()
    }
    for kind, build in by_size.items():
        found[kind] = [(f"{kind}: {size} x {size}", partial(build, "unet", size, device)) for size in sizes]
    found["attention"] = [
        (f"LSH attention, {side**2} tokens, forward and backward", partial(attention, side, device)) for side in SIDES
    ]
    return found


def rows_of(ways: list[Way], timings: list[Timing]) -> Iterator[list[str]]:
    """Milliseconds a slice, operations, and both speeds in terms of the first way's."""
    a_slice = [timing.median / way.slices for way, timing in zip(ways, timings, strict=True)]
    operations = [way.operations() for way in ways]
    speeds = [count / seconds for count, seconds in zip(operations, a_slice, strict=True)]
    for way, timing, seconds, count, speed in zip(ways, timings, a_slice, operations, speeds, strict=True):
        yield [
            way.name,
            f"{1000 * seconds:.2f}",
            f"{1000 * timing.least / way.slices:.2f} to {1000 * timing.most / way.slices:.2f}",
            f"{count / 1e9:.2f}",
            f"{speed / 1e9:.1f}",
            f"{a_slice[0] / seconds:.2f}",
            f"{speed / speeds[0]:.2f}",
        ]


HEADER = ("way", "ms a slice", "least to most", "GFLOP a slice", "GFLOP/s", "times ours, a slice", "times ours, a FLOP")
KINDS = ("inference", "training", "u-nets", "chain", "nnunet", "attention")


def main() -> None:
    """Print a table for each group."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", action="append", help="for inference and training; repeatable, all without it")
    parser.add_argument("--size", action="append", type=int, help="repeatable; 256, 369 and 512 without it")
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    given = parser.parse_args()
    device = torch.device(given.device)
    environment = describe_environment()
    where = environment["processor"] if device.type == "cpu" else torch.cuda.get_device_name(device)
    print(f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}, medians of {given.rounds} rounds\n")
    found = groups(given.bundle or bundle_names(), given.size or list(SIZES), device)
    for heading, build in (group for kind in given.only for group in found[kind]):
        ways = build()
        timings = in_turns(ways, given.rounds, device)
        told = table(HEADER, list(rows_of(ways, timings))) if ways else "not installed; see the top of this file"
        print(f"{heading}\n\n{told}\n", flush=True)


if __name__ == "__main__":
    main()
