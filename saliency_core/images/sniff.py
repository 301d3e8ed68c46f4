"""What a file is, told from its first bytes; its name is never believed."""

from __future__ import annotations

from saliency_core.errors import ImageError

ACCEPTED = "PNG, JPEG, WebP, AVIF, BMP, TIFF or GIF"
CONVERT = f"Save it as {ACCEPTED} and try again."
TO_JPEG = "Convert to JPEG (most photo apps can export it) and try again."

SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
)
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)

# offset, bytes found there, what it is, what to do
FOREIGN: tuple[tuple[int, bytes, str, str], ...] = (
    (8, b"CR\x02\x00", "a camera raw file (CR2)", TO_JPEG),
    (0, b"%PDF", "a PDF document", "Save the page or its picture as PNG."),
    (0, b"%!PS", "an EPS or PostScript file", "Save the drawing as PNG."),
    (0, b"\xc5\xd0\xd3\xc6", "an EPS or PostScript file", "Save the drawing as PNG."),
    (128, b"DICM", "a DICOM medical image", "Export the slice as PNG or TIFF."),
    (0, b"\x93NUMPY", "a NumPy array (.npy)", "Load it with numpy and give the uint8 array itself."),
    (0, b"\x89HDF", "an HDF5 file (perhaps a Keras model)", "If it is a model, choose it as the model."),
    (0, b"PK\x03\x04", "a ZIP archive (or .npz, .keras, .docx)", "Unpack it and give one picture."),
    (0, b"\x1f\x8b", "a gzip archive", "Unpack it and give one picture."),
    (0, b"Rar!", "a RAR archive", "Unpack it and give one picture."),
    (0, b"7z\xbc\xaf", "a 7-Zip archive", "Unpack it and give one picture."),
    (0, b"MZ", "a Windows program (EXE)", CONVERT),
    (0, b"\x7fELF", "a Linux program (ELF)", CONVERT),
    (0, b"8BPS", "a Photoshop file (PSD)", CONVERT),
    (0, b"gimp xcf", "a GIMP file (XCF)", CONVERT),
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture", CONVERT),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture", CONVERT),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture", CONVERT),
    (0, b"\xff\x0a", "a JPEG XL picture", CONVERT),
    (0, b"\x00\x00\x01\x00", "a Windows icon (ICO)", CONVERT),
    (0, b"\x00\x00\x02\x00", "a Windows cursor (CUR)", CONVERT),
    (0, b"icns", "a macOS icon (ICNS)", CONVERT),
    (0, b"\xd7\xcd\xc6\x9a", "a Windows metafile (WMF)", CONVERT),
    (40, b" EMF", "a Windows metafile (EMF)", CONVERT),
    (0, b"SIMPLE  =", "a FITS image", "Export it as TIFF or PNG."),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture", "Export it as TIFF or PNG."),
    (0, b"#?RADIANCE", "a Radiance HDR picture", "Export it as TIFF or PNG."),
    (0, b"qoif", "a QOI picture", CONVERT),
    (0, b"DDS ", "a DDS texture", CONVERT),
    (0, b"\x1aE\xdf\xa3", "a video (WebM or Matroska)", "Save one frame as PNG."),
    (8, b"AVI ", "a video (AVI)", "Save one frame as PNG."),
    (8, b"WAVE", "a sound (WAV)", CONVERT),
    (0, b"ID3", "a sound (MP3)", CONVERT),
    *((0, b"P%d" % n, "a PPM, PGM or PBM picture", CONVERT) for n in range(1, 8)),
)
HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}


def sniff(name: str, data: bytes) -> str:
    """Return the accepted format ("PNG", "JPEG", ...) that the bytes begin like; else raise ImageError."""
    found = next((kind for magic, kind in SIGNATURES if data.startswith(magic)), None)
    if found and data[8:12] != b"CR\x02\x00":
        return found
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:2] == b"BM" and (len(data) < 18 or int.from_bytes(data[14:18], "little") in BMP_HEADERS):
        return "BMP"
    if data[4:8] == b"ftyp" and {b"avif", b"avis"} & _brands(data):
        return "AVIF"
    what, hint = _foreign(data)
    raise ImageError(f"{name} looks like {what}, which is not read here.", hint)


def _brands(data: bytes) -> set[bytes]:
    end = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}


def _foreign(data: bytes) -> tuple[str, str]:
    if data[4:8] == b"ftyp":
        brands = _brands(data)
        if b"crx " in brands:
            return "a camera raw file (CR3)", TO_JPEG
        if brands & HEIC_BRANDS:
            return "a HEIC photo", TO_JPEG
        return "a video (MP4 or QuickTime)", "Save one frame as PNG."
    for at, magic, what, hint in FOREIGN:
        if data[at : at + len(magic)] == magic:
            return what, hint
    return _text(data[:2048]) or ("something else than a picture", f"Give a {ACCEPTED} file.")


def _text(head: bytes) -> tuple[str, str] | None:
    """Name the kind of text that the bytes are; None when they are not text."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in text:
        return "an SVG drawing", "Save the drawing as PNG."
    if text.startswith(b"<!doctype html") or b"<html" in text:
        return "an HTML page (perhaps a download that failed)", "Download the picture itself."
    if text.startswith(b"<?xml"):
        return "an XML file", CONVERT
    if text.startswith((b"{", b"[")):
        return "a JSON or text file", CONVERT
    if all(byte in b"\t\n\r\f" or byte >= 32 for byte in head) and head.isascii():
        return "a text file", CONVERT
    return None
