"""The papers behind methods and networks, by the key under which these cite them."""

from __future__ import annotations

from dataclasses import dataclass

ARXIV = "https://arxiv.org/abs/"


@dataclass(frozen=True)
class Reference:
    """One paper: who wrote it, what it is called, where and when it came out, and where to read it."""

    authors: tuple[str, ...]
    title: str
    venue: str
    year: int
    url: str

    @property
    def who(self) -> str:
        """The authors in words; more than three are the first one and others."""
        if len(self.authors) > 3:
            return f"{self.authors[0]} and others"
        return " and ".join(filter(None, (", ".join(self.authors[:-1]), self.authors[-1])))

    @property
    def text(self) -> str:
        """The reference as one line."""
        return f"{self.who}: {self.title}. {self.venue}, {self.year}. {self.url}"


BIBLIOGRAPHY = {
    "achanta2012": Reference(
        (
            "Radhakrishna Achanta",
            "Appu Shaji",
            "Kevin Smith",
            "Aurelien Lucchi",
            "Pascal Fua",
            "Sabine Süsstrunk",
        ),
        "SLIC Superpixels Compared to State-of-the-Art Superpixel Methods",
        "IEEE Transactions on Pattern Analysis and Machine Intelligence",
        2012,
        "https://doi.org/10.1109/TPAMI.2012.120",
    ),
    "covert2021": Reference(
        ("Ian Covert", "Su-In Lee"),
        "Improving KernelSHAP: Practical Shapley Value Estimation via Linear Regression",
        "AISTATS",
        2021,
        f"{ARXIV}2012.01536",
    ),
    "he2016deep": Reference(
        ("Kaiming He", "Xiangyu Zhang", "Shaoqing Ren", "Jian Sun"),
        "Deep Residual Learning for Image Recognition",
        "CVPR",
        2016,
        f"{ARXIV}1512.03385",
    ),
    "he2016identity": Reference(
        ("Kaiming He", "Xiangyu Zhang", "Shaoqing Ren", "Jian Sun"),
        "Identity Mappings in Deep Residual Networks",
        "ECCV",
        2016,
        f"{ARXIV}1603.05027",
    ),
    "howard2019": Reference(
        ("Andrew Howard", "Mark Sandler", "Grace Chu", "Liang-Chieh Chen"),
        "Searching for MobileNetV3",
        "ICCV",
        2019,
        f"{ARXIV}1905.02244",
    ),
    "huang2017": Reference(
        ("Gao Huang", "Zhuang Liu", "Laurens van der Maaten", "Kilian Q. Weinberger"),
        "Densely Connected Convolutional Networks",
        "CVPR",
        2017,
        f"{ARXIV}1608.06993",
    ),
    "liu2022": Reference(
        ("Zhuang Liu", "Hanzi Mao", "Chao-Yuan Wu", "Christoph Feichtenhofer"),
        "A ConvNet for the 2020s",
        "CVPR",
        2022,
        f"{ARXIV}2201.03545",
    ),
    "lundberg2017": Reference(
        ("Scott M. Lundberg", "Su-In Lee"),
        "A Unified Approach to Interpreting Model Predictions",
        "NeurIPS",
        2017,
        f"{ARXIV}1705.07874",
    ),
    "petsiuk2018": Reference(
        ("Vitali Petsiuk", "Abir Das", "Kate Saenko"),
        "RISE: Randomized Input Sampling for Explanation of Black-box Models",
        "BMVC",
        2018,
        f"{ARXIV}1806.07421",
    ),
    "ribeiro2016": Reference(
        ("Marco Tulio Ribeiro", "Sameer Singh", "Carlos Guestrin"),
        "“Why Should I Trust You?”: Explaining the Predictions of Any Classifier",
        "KDD",
        2016,
        f"{ARXIV}1602.04938",
    ),
    "sandler2018": Reference(
        ("Mark Sandler", "Andrew Howard", "Menglong Zhu", "Andrey Zhmoginov", "Liang-Chieh Chen"),
        "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
        "CVPR",
        2018,
        f"{ARXIV}1801.04381",
    ),
    "shrikumar2016": Reference(
        ("Avanti Shrikumar", "Peyton Greenside", "Anna Shcherbina", "Anshul Kundaje"),
        "Not Just a Black Box: Learning Important Features Through Propagating Activation Differences",
        "arXiv",
        2016,
        f"{ARXIV}1605.01713",
    ),
    "simonyan2014": Reference(
        ("Karen Simonyan", "Andrea Vedaldi", "Andrew Zisserman"),
        "Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency Maps",
        "ICLR workshop",
        2014,
        f"{ARXIV}1312.6034",
    ),
    "simonyan2015": Reference(
        ("Karen Simonyan", "Andrew Zisserman"),
        "Very Deep Convolutional Networks for Large-Scale Image Recognition",
        "ICLR",
        2015,
        f"{ARXIV}1409.1556",
    ),
    "szegedy2016": Reference(
        ("Christian Szegedy", "Vincent Vanhoucke", "Sergey Ioffe", "Jonathon Shlens", "Zbigniew Wojna"),
        "Rethinking the Inception Architecture for Computer Vision",
        "CVPR",
        2016,
        f"{ARXIV}1512.00567",
    ),
    "tan2019": Reference(
        ("Mingxing Tan", "Quoc V. Le"),
        "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        "ICML",
        2019,
        f"{ARXIV}1905.11946",
    ),
    "zeiler2014": Reference(
        ("Matthew D. Zeiler", "Rob Fergus"),
        "Visualizing and Understanding Convolutional Networks",
        "ECCV",
        2014,
        f"{ARXIV}1311.2901",
    ),
}
