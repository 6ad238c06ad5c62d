// The data of codebook.h.
#include "kern/codebook.h"

#include "kern/codebook_table.h"
