"""Long and large clips: windows in time, tiles in space, pieces on disk, memory planned beforehand."""
