// A device whose buffers the host cannot look into: proof that nothing above dev/ does.
//
// Wraps another device. Every buffer lies in pages of its own that can be neither read nor written
// outside the device's calls, and what wrap() is given is copied, as a GPU would. Arithmetic is the
// inner device's, so results are the same bits.
#ifndef TESTS_SUPPORT_CLOSED_DEV_H
#define TESTS_SUPPORT_CLOSED_DEV_H

#include "dev/dev.h"

// Owns `inner` when it succeeds. `inner` must be able to wrap() memory that it then writes to.
hearth_status closed_dev_open(dev *inner, dev **out, hearth_err *err);

#endif
