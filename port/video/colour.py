"""What the numbers of a video mean: the colour tags of its stream, as ITU-T H.273 counts them."""

from dataclasses import dataclass

from av.video.reformatter import ColorRange, Colorspace

BT709, UNSPECIFIED = 1, 2
HD_ROWS = 720  # players take an untagged video for BT.601 below, for BT.709 from here on
# matrix in the header -> the one ffmpeg converts with; 5 and 6 have the same coefficients
MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}


@dataclass(frozen=True)
class Colour:
    """Tags of a stream. Written are primaries, transfer and matrix BT.709 in limited range unless told otherwise."""

    primaries: int = BT709
    transfer: int = BT709
    matrix: int = BT709
    full_range: bool = False

    @property
    def colorspace(self) -> Colorspace:
        """The matrix to convert with."""
        return MATRICES[self.matrix]

    @property
    def range(self) -> ColorRange:
        """The range to convert to."""
        return ColorRange.JPEG if self.full_range else ColorRange.MPEG


BT709_COLOUR = Colour()


def colour_of(codec) -> Colour:
    """The tags of a decoder's stream, to be written again. Untagged videos are converted and tagged as BT.709.

    codec  with the matrix BT.709, BT.601, BT.2020 (constant luminance left out), FCC or SMPTE 240M, all tags are kept;
           with another one (RGB, YCgCo) the pictures are converted to BT.709 and tagged so, primaries and transfer kept
    """
    full = codec.color_range == ColorRange.JPEG and codec.colorspace in MATRICES
    tags = (codec.color_primaries, codec.color_trc, codec.colorspace)
    if all(tag == UNSPECIFIED for tag in tags):
        return Colour(full_range=full)
    matrix = codec.colorspace if codec.colorspace in MATRICES else BT709
    return Colour(int(codec.color_primaries), int(codec.color_trc), int(matrix), full)


def assumed_matrix(frame) -> Colorspace | None:
    """The matrix to decode an untagged frame with, None to leave it to the frame's own tag (or ffmpeg's BT.601)."""
    return Colorspace.ITU709 if frame.colorspace == UNSPECIFIED and frame.height >= HD_ROWS else None
