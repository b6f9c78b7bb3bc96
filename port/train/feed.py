"""The batches of a run."""
import numpy as np
from port.video.pictures import read_picture

class Feed:
    def __init__(self, settings, pairs, rank=0, ranks=1):
        self.s, self.pairs, self.rank, self.ranks = settings, pairs, rank, ranks
    def __enter__(self): return self
    def __exit__(self, *a): pass
    def _picks(self, index):
        first = (index * self.ranks + self.rank) * self.s.batch
        return [np.random.default_rng([self.s.seed, k]) for k in range(first, first + self.s.batch)]
    def names(self, index):
        return [self.pairs[r.integers(len(self.pairs))].name for r in self._picks(index)]
    def batch(self, index):
        out = [self._one(r) for r in self._picks(index)]
        return tuple(np.stack(x) for x in zip(*out))
    def _one(self, r):
        p = self.pairs[r.integers(len(self.pairs))]
        s = self.s
        f = r.integers(len(p.lq) - s.frames + 1)
        lq = np.stack([read_picture(x) for x in p.lq[f:f+s.frames]]); gt = np.stack([read_picture(x) for x in p.gt[f:f+s.frames]])
        y, x = r.integers(lq.shape[1]-s.patch+1), r.integers(lq.shape[2]-s.patch+1)
        lq = lq[:, y:y+s.patch, x:x+s.patch]; gt = gt[:, 4*y:4*(y+s.patch), 4*x:4*(x+s.patch)]
        return tuple(np.ascontiguousarray(a.transpose(0,3,1,2), np.float32)/np.float32(255) for a in (lq, gt))
