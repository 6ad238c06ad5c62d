// Makes the n-th fallible call of os/ fail, in any test program.
//
// The tests are linked with `--wrap` for every function that os_fault.c lists: calls from one
// object file to another go through a counter there, so the product carries nothing of it. Calls
// inside one file of os/ are not seen. Only where the linker can do it (ELF); elsewhere nothing
// ever fails.
#ifndef TESTS_SUPPORT_OS_FAULT_H
#define TESTS_SUPPORT_OS_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    OS_FAULT_FILE = 1,    // files, mappings, directories, standard streams
    OS_FAULT_THREAD = 2,  // threads, mutexes, conditions
    OS_FAULT_PROCESS = 4, // processes, channels, shared memory
    OS_FAULT_MISC = 8,    // random numbers, guarded memory
    OS_FAULT_HEAP = 16,   // os_heap_alloc, also below mem_alloc
    OS_FAULT_ALL = 31
};

bool os_fault_available(void);

// The n-th call of these kinds from now on fails (1 = the next) and, when `sticky`, every later
// one. 0 switches off and only counts. Returns how many such calls were made since the last call.
//
// A failing write has written half, a failing close has closed; all others have done nothing.
// The status is HEARTH_E_IO, HEARTH_E_NET for channels, HEARTH_E_NOMEM for what is only memory.
uint64_t os_fault_arm(unsigned kinds, uint64_t n, bool sticky);

#endif
