"""Networks trained on ImageNet that come with Keras: what they are, and where their weights are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from saliency_core.errors import ModelError

STORAGE = "https://storage.googleapis.com/"
KERAS = STORAGE + "tensorflow/keras-applications/"
KERAS_TABLE = "https://keras.io/api/applications/"  # sizes and accuracies, unless a comment says otherwise
VALIDATION_IMAGES = 50_000


@dataclass(frozen=True)
class Weights:
    """A file on the network: its address, its name in Keras's cache, and how to tell that it is whole.

    digest: MD5 or SHA-256 as Keras publishes it, or "" where it publishes none. megabytes: about
    how large it is, in units of 2**20 bytes. form: "hdf5" or "json".
    """

    url: str
    digest: str
    megabytes: float
    form: str = "hdf5"

    @property
    def file(self) -> str:
        """Name of the file in the cache."""
        return self.url.rpartition("/")[2]

    @property
    def algorithm(self) -> str:
        """Name of the digest's algorithm, or "" without a digest."""
        return {0: "", 32: "md5", 64: "sha256"}[len(self.digest)]

    @property
    def check(self) -> str:
        """How the file is checked, in words."""
        if self.digest:
            return {"md5": "MD5", "sha256": "SHA-256"}[self.algorithm] + " as Keras publishes it"
        return "HDF5 signature and length; Keras publishes no checksum for it"


@dataclass(frozen=True)
class Application:
    """One network of Keras Applications.

    size: height and width of its input. preprocessing: spelling. top1, top5: accuracy on the
    ImageNet validation images, 0 where nobody published it. memory_mb: what a process that has
    explained one image with it holds at most, in units of 2**20 bytes.
    """

    id: str
    title: str
    keras_name: str
    size: int
    preprocessing: str
    weights: Weights
    parameters: int
    top1: float
    top5: float
    memory_mb: int
    year: int
    cites: tuple[str, ...]
    about: str
    accuracy_source: str = KERAS_TABLE

    @property
    def megabytes(self) -> float:
        """Size of the download, in units of 2**20 bytes."""
        return self.weights.megabytes

    def facts(self) -> dict[str, Any]:
        """What a card shows, as plain JSON data."""
        accuracies = (("accuracy", self.top1), ("accuracy within five guesses", self.top5))
        return {
            "about": self.about,
            "parameters": self.parameters,
            "measured": [
                {"on": "ImageNet validation images", "value": value, "of": of, "count": VALIDATION_IMAGES}
                for of, value in accuracies
                if value
            ],
            "source": self.accuracy_source,
            "year": self.year,
            "cites": list(self.cites),
            "download_mb": self.megabytes,
            "memory_mb": self.memory_mb,
            "weights_check": self.weights.check,
        }


LABELS = Weights(
    STORAGE + "download.tensorflow.org/data/imagenet_class_index.json",
    "c2c37ea517e94d9795004a39431a14cb",
    0.04,
    form="json",
)

_ALL = (
    Application(
        id="mobilenet_v2",
        title="MobileNetV2",
        keras_name="MobileNetV2",
        size=224,
        preprocessing="symmetric()",
        weights=Weights(
            KERAS + "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5", "", 14
        ),
        parameters=3_538_984,
        top1=0.713,
        top5=0.901,
        memory_mb=1150,
        year=2018,
        cites=("sandler2018",),
        about="A small network of depthwise convolutions, made for phones.",
    ),
    Application(
        id="mobilenet_v3_small",
        title="MobileNetV3 small",
        keras_name="MobileNetV3Small",
        size=224,
        preprocessing="raw()",
        weights=Weights(
            KERAS + "mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float.h5",
            "8768d4c2e7dee89b9d02b2d03d65d862",
            10,
        ),
        parameters=2_554_968,
        top1=0.681,
        top5=0.0,
        memory_mb=1050,
        year=2019,
        cites=("howard2019",),
        about="The smallest network here, found by an automatic search.",
        # keras.io's table leaves this network out; the figure is the one in its docstring.
        accuracy_source=KERAS_TABLE + "mobilenet/",
    ),
    Application(
        id="efficientnet_b0",
        title="EfficientNet B0",
        keras_name="EfficientNetB0",
        size=224,
        preprocessing="raw()",
        weights=Weights(
            STORAGE + "keras-applications/efficientnetb0.h5", "902e53a9f72be733fc0bcb005b3ebbac", 29
        ),
        parameters=5_330_571,
        top1=0.771,
        top5=0.933,
        memory_mb=1500,
        year=2019,
        cites=("tan2019",),
        about="Depth, width and resolution grown together; smooth swish activations.",
    ),
    Application(
        id="densenet121",
        title="DenseNet 121",
        keras_name="DenseNet121",
        size=224,
        preprocessing="torch()",
        weights=Weights(
            KERAS + "densenet/densenet121_weights_tf_dim_ordering_tf_kernels.h5",
            "9d60b8095a5708f2dcce2bca79d332c7",
            33,
        ),
        parameters=8_062_504,
        top1=0.750,
        top5=0.923,
        memory_mb=1850,
        year=2017,
        cites=("huang2017",),
        about="Every layer of a block reads all layers before it.",
    ),
    Application(
        id="inception_v3",
        title="Inception V3",
        keras_name="InceptionV3",
        size=299,
        preprocessing="symmetric()",
        weights=Weights(
            KERAS + "inception_v3/inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
            "9a0d58056eeedaa3f26cb7ebd46da564",
            92,
        ),
        parameters=23_851_784,
        top1=0.779,
        top5=0.937,
        memory_mb=3300,
        year=2016,
        cites=("szegedy2016",),
        about="Filters of several sizes side by side; larger input than the others.",
    ),
    Application(
        id="resnet50",
        title="ResNet 50",
        keras_name="ResNet50",
        size=224,
        preprocessing="caffe()",
        weights=Weights(
            KERAS + "resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5",
            "2cb95161c43110f7111970584f804107",
            98,
        ),
        parameters=25_636_712,
        top1=0.749,
        top5=0.921,
        memory_mb=3350,
        year=2016,
        cites=("he2016deep",),
        about="The network that made shortcuts around layers famous.",
    ),
    Application(
        id="resnet50_v2",
        title="ResNet 50 V2",
        keras_name="ResNet50V2",
        size=224,
        preprocessing="symmetric()",
        weights=Weights(
            KERAS + "resnet/resnet50v2_weights_tf_dim_ordering_tf_kernels.h5",
            "3ef43a0b657b3be2300d5770ece849e0",
            98,
        ),
        parameters=25_613_800,
        top1=0.760,
        top5=0.930,
        memory_mb=3500,
        year=2016,
        cites=("he2016identity",),
        about="ResNet with norm and activation before each convolution.",
    ),
    Application(
        id="convnext_tiny",
        title="ConvNeXt tiny",
        keras_name="ConvNeXtTiny",
        size=224,
        preprocessing="raw()",
        weights=Weights(
            KERAS + "convnext/convnext_tiny.h5",
            "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
            109.42,
        ),
        parameters=28_589_128,
        top1=0.813,
        top5=0.0,
        memory_mb=1650,
        year=2022,
        cites=("liu2022",),
        about="A convolutional network with habits learnt from transformers; no ReLU anywhere.",
    ),
    Application(
        id="vgg16",
        title="VGG16",
        keras_name="VGG16",
        size=224,
        preprocessing="caffe()",
        weights=Weights(
            KERAS + "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
            "64373286793e3c8b2b4e3219cbf3544b",
            528,
        ),
        parameters=138_357_544,
        top1=0.713,
        top5=0.901,
        memory_mb=5150,
        year=2015,
        cites=("simonyan2015",),
        about="Plain stacks of 3x3 convolutions: large, slow, and the classic of saliency papers.",
    ),
)

CATALOGUE: dict[str, Application] = {entry.id: entry for entry in _ALL}


def application(id: str) -> Application:
    """Return one entry of the catalogue, or raise ModelError that lists what there is."""
    if id not in CATALOGUE:
        raise ModelError(
            f"There is no network {id[:60]!r} in the catalogue.", f"Choose one of: {', '.join(CATALOGUE)}."
        )
    return CATALOGUE[id]
