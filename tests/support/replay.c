// Runs a fuzzer's entry over files: fuzz_x FILE|FOLDER...
//
// Every build links the fuzzers with this main instead of libFuzzer, so that each input that was
// once worth keeping is tried by every compiler and sanitizer. The input stands at the end of its
// own heap block, where AddressSanitizer sees a read past it. The empty input is always tried.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int n_tried;

static void try_bytes(const unsigned char *bytes, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (!copy) exit(2);
    if (n) memcpy(copy, bytes, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
    n_tried++;
}

static void try_file(const char *path)
{
    size_t n = 0;
    unsigned char *bytes = test_read_file(path, &n);
    if (!bytes) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    try_bytes(bytes, n);
    free(bytes);
}

// A folder that is not there is an empty corpus.
static void try_folder(const char *path, DIR *folder)
{
    char name[4096];
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        try_file(name);
    }
}

int main(int argc, char **argv)
{
    try_bytes(NULL, 0);
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);
        FILE *file = folder ? NULL : fopen(argv[i], "rb");
        if (folder) {
            try_folder(argv[i], folder);
            closedir(folder);
        } else if (file) {
            fclose(file);
            try_file(argv[i]);
        }
    }
    printf("%d inputs\n", n_tried);
    return 0;
}
