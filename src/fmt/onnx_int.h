// What the files of the ONNX reader share; nobody else includes this.
#ifndef HEARTH_FMT_ONNX_INT_H
#define HEARTH_FMT_ONNX_INT_H

#include "fmt/onnx.h"

hearth_status onnx_read_tensor(pb_reader r, onnx_tensor *out, hearth_err *err);

#endif
