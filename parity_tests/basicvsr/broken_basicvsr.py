"""The port's capture with mistakes planted: `python broken_basicvsr.py FAULT[+FAULT] MODEL --weights ...`."""

import sys

import ms_model  # noqa: F401  (sets the environment before mindspore computes)
from ms_model import basicvsr, capture, warp


def border():
    """Features warped as pictures are: what lies outside is clamped to the border."""
    basicvsr.flow_warp = lambda x, flow, padding: warp.flow_warp(x, flow)


def exchanged():
    """The two directions fused the other way round."""
    fuse = basicvsr.BasicVSR._upsample
    basicvsr.BasicVSR._upsample = lambda self, backward, forward, lr: fuse(self, forward, backward, lr)


if __name__ == "__main__":
    for fault in sys.argv[1].split("+"):
        {"border": border, "exchanged": exchanged}[fault]()
    sys.exit(capture.main(sys.argv[2:]))
