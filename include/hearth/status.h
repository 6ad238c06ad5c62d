// The result codes that every fallible function of Hearth returns.
//
// Shared by hearth.h and the headers that come beside it. Zero is success, every failure is
// negative. The numbers are part of the ABI: a code is added at the end and never renumbered.
#ifndef HEARTH_STATUS_H
#define HEARTH_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hearth_status {
    HEARTH_OK = 0,
    HEARTH_E_NOMEM = -1,       // an allocation failed
    HEARTH_E_IO = -2,          // the operating system could not read, write or map
    HEARTH_E_FORMAT = -3,      // a file or message is damaged or breaks its own format
    HEARTH_E_UNSUPPORTED = -4, // well formed, but this build cannot do it
    HEARTH_E_ARG = -5,         // the caller passed something that the contract excludes
    HEARTH_E_STATE = -6,       // right call, wrong moment
    HEARTH_E_LIMIT = -7,       // a stated limit (memory, context, length) would be exceeded
    HEARTH_E_CANCELED = -8,    // somebody asked to stop
    HEARTH_E_NET = -9,         // the other side could not be reached or broke the protocol
    HEARTH_E_AUTH = -10,       // a key, token or permission is missing
    HEARTH_E_VERIFY = -11,     // a hash or signature does not match
    HEARTH_E_INTERNAL = -12,   // a fault of Hearth itself
    HEARTH_E_NOTFOUND = -13,   // no file, tensor, model or name like that
    HEARTH_E_CRASHED = -14     // the engine process ended unexpectedly
} hearth_status;

#ifdef __cplusplus
}
#endif
#endif
