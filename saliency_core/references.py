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
    "adebayo2018": Reference(
        (
            "Julius Adebayo",
            "Justin Gilmer",
            "Michael Muelly",
            "Ian Goodfellow",
            "Moritz Hardt",
            "Been Kim",
        ),
        "Sanity Checks for Saliency Maps",
        "NeurIPS",
        2018,
        f"{ARXIV}1810.03292",
    ),
    "andol2021": Reference(
        (
            "Léo Andéol",
            "Yusei Kawakami",
            "Yuichiro Wada",
            "Takafumi Kanamori",
            "Klaus-Robert Müller",
            "Grégoire Montavon",
        ),
        "Learning Domain Invariant Representations by Joint Wasserstein Distance Minimization",
        "arXiv",
        2021,
        f"{ARXIV}2106.04923",
    ),
    "bach2015": Reference(
        (
            "Sebastian Bach",
            "Alexander Binder",
            "Grégoire Montavon",
            "Frederick Klauschen",
            "Klaus-Robert Müller",
            "Wojciech Samek",
        ),
        "On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation",
        "PLoS ONE",
        2015,
        "https://doi.org/10.1371/journal.pone.0130140",
    ),
    "chattopadhay2018": Reference(
        ("Aditya Chattopadhay", "Anirban Sarkar", "Prantik Howlader", "Vineeth N. Balasubramanian"),
        "Grad-CAM++: Generalized Gradient-Based Visual Explanations for Deep Convolutional Networks",
        "WACV",
        2018,
        f"{ARXIV}1710.11063",
    ),
    "covert2021": Reference(
        ("Ian Covert", "Su-In Lee"),
        "Improving KernelSHAP: Practical Shapley Value Estimation via Linear Regression",
        "AISTATS",
        2021,
        f"{ARXIV}2012.01536",
    ),
    "draelos2020": Reference(
        ("Rachel Lea Draelos", "Lawrence Carin"),
        "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks",
        "arXiv",
        2020,
        f"{ARXIV}2011.08891",
    ),
    "erion2021": Reference(
        ("Gabriel Erion", "Joseph D. Janizek", "Pascal Sturmfels", "Scott M. Lundberg", "Su-In Lee"),
        "Improving Performance of Deep Learning Models with Axiomatic Attribution Priors and "
        "Expected Gradients",
        "Nature Machine Intelligence",
        2021,
        f"{ARXIV}1906.10670",
    ),
    "felzenszwalb2004": Reference(
        ("Pedro F. Felzenszwalb", "Daniel P. Huttenlocher"),
        "Efficient Graph-Based Image Segmentation",
        "International Journal of Computer Vision",
        2004,
        "https://doi.org/10.1023/B:VISI.0000022288.19776.77",
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
    "hooker2019": Reference(
        ("Sara Hooker", "Dumitru Erhan", "Pieter-Jan Kindermans", "Been Kim"),
        "A Benchmark for Interpretability Methods in Deep Neural Networks",
        "NeurIPS",
        2019,
        f"{ARXIV}1806.10758",
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
    "jiang2021": Reference(
        ("Peng-Tao Jiang", "Chang-Bin Zhang", "Qibin Hou", "Ming-Ming Cheng", "Yunchao Wei"),
        "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization",
        "IEEE Transactions on Image Processing",
        2021,
        "https://doi.org/10.1109/TIP.2021.3089943",
    ),
    "kapishnikov2019": Reference(
        ("Andrei Kapishnikov", "Tolga Bolukbasi", "Fernanda Viégas", "Michael Terry"),
        "XRAI: Better Attributions Through Regions",
        "ICCV",
        2019,
        f"{ARXIV}1906.02825",
    ),
    "kapishnikov2021": Reference(
        (
            "Andrei Kapishnikov",
            "Subhashini Venugopalan",
            "Besim Avci",
            "Ben Wedin",
            "Michael Terry",
            "Tolga Bolukbasi",
        ),
        "Guided Integrated Gradients: An Adaptive Path Method for Removing Noise",
        "CVPR",
        2021,
        f"{ARXIV}2106.09788",
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
    "montavon2019": Reference(
        (
            "Grégoire Montavon",
            "Alexander Binder",
            "Sebastian Lapuschkin",
            "Wojciech Samek",
            "Klaus-Robert Müller",
        ),
        "Layer-Wise Relevance Propagation: An Overview",
        "Explainable AI, Springer",
        2019,
        "https://doi.org/10.1007/978-3-030-28954-6_10",
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
    "selvaraju2017": Reference(
        (
            "Ramprasaath R. Selvaraju",
            "Michael Cogswell",
            "Abhishek Das",
            "Ramakrishna Vedantam",
            "Devi Parikh",
            "Dhruv Batra",
        ),
        "Grad-CAM: Visual Explanations from Deep Networks via Gradient-Based Localization",
        "ICCV",
        2017,
        f"{ARXIV}1610.02391",
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
    "smilkov2017": Reference(
        ("Daniel Smilkov", "Nikhil Thorat", "Been Kim", "Fernanda Viégas", "Martin Wattenberg"),
        "SmoothGrad: Removing Noise by Adding Noise",
        "ICML Workshop on Visualization for Deep Learning",
        2017,
        f"{ARXIV}1706.03825",
    ),
    "springenberg2015": Reference(
        (
            "Jost Tobias Springenberg",
            "Alexey Dosovitskiy",
            "Thomas Brox",
            "Martin Riedmiller",
        ),
        "Striving for Simplicity: The All Convolutional Net",
        "ICLR workshop",
        2015,
        f"{ARXIV}1412.6806",
    ),
    "srinivas2019": Reference(
        ("Suraj Srinivas", "François Fleuret"),
        "Full-Gradient Representation for Neural Network Visualization",
        "NeurIPS",
        2019,
        f"{ARXIV}1905.00780",
    ),
    "sundararajan2017": Reference(
        ("Mukund Sundararajan", "Ankur Taly", "Qiqi Yan"),
        "Axiomatic Attribution for Deep Networks",
        "ICML",
        2017,
        f"{ARXIV}1703.01365",
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
    "wang2020": Reference(
        (
            "Haofan Wang",
            "Zifan Wang",
            "Mengnan Du",
            "Fan Yang",
            "Zijian Zhang",
            "Sirui Ding",
            "Piotr Mardziel",
            "Xia Hu",
        ),
        "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks",
        "CVPR Workshops",
        2020,
        f"{ARXIV}1910.01279",
    ),
    "xu2020": Reference(
        ("Shawn Xu", "Subhashini Venugopalan", "Mukund Sundararajan"),
        "Attribution in Scale and Space",
        "CVPR",
        2020,
        f"{ARXIV}2004.03383",
    ),
    "zeiler2014": Reference(
        (
            "Matthew D. Zeiler",
            "Rob Fergus",
        ),
        "Visualizing and Understanding Convolutional Networks",
        "ECCV",
        2014,
        f"{ARXIV}1311.2901",
    ),
}
