// Where tests find the real models that are not in the tree.
#ifndef TESTS_SUPPORT_TEST_DATA_H
#define TESTS_SUPPORT_TEST_DATA_H

#include <stdbool.h>
#include <stddef.h>

// Writes DATA/name into path and says whether the file is there. DATA is the environment's
// HEARTH_TEST_DATA, by default ../shared/data beside the source tree. A test that gets false calls
// cmocka's skip() after one line that says which file is missing.
bool test_data_path(const char *name, char *path, size_t path_bytes);

// The same for files of this tree, under tests/.
void test_source_path(const char *name, char *path, size_t path_bytes);

// Reads a whole file; malloc'ed, the caller frees. NULL when it cannot be read.
unsigned char *test_read_file(const char *path, size_t *n);

#endif
