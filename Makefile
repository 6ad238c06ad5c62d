# A short door to the CMake presets. Everything is built in build/<preset>.
preset ?= release

build: build/$(preset)/build.ninja ## build the library, the program and the tests
	@cmake --build build/$(preset)
build/%/build.ninja:
	@cmake --preset $*
test: ## fast tests while working (all of them: scripts/test.sh)
	@scripts/test.sh --quick
bench: build ## measure the kernels and the program on this machine
	@build/$(preset)/tests/checkkern --bench && build/$(preset)/hearth bench
lint: build ## style, module rules
	@python3 tools/style.py
	@python3 tools/layers.py --self-test
	@python3 tools/layers.py build/$(preset)
measure: build ## figures about the code, bytes per module
	@python3 tools/measure.py && python3 tools/size.py build/$(preset)
install: build ## install to PREFIX, by default /usr/local
	@cmake --install build/$(preset) --prefix $(or $(PREFIX),/usr/local)
clean: ## remove build/
	@rm -rf build
help: ## this list; preset=debug, asan, clang, ... chooses another build
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s  %s\n", $$1, $$2 }' Makefile

.PHONY: build test bench lint measure install clean help
